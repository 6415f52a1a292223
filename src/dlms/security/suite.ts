/** Security suites and the security control octet (Green Book 9.2.3.7, 9.2.7.2.4.1): what protects an APDU, and how strongly. */
import { fail } from '../../core/errors.ts';
import { type SecurityControl, securityControlOf } from './ciphered.ts';

export type Curve = 'P-256' | 'P-384';
export type SuiteId = 0 | 1 | 2;

export interface SecuritySuite {
  readonly id: SuiteId;
  /** Octets of block cipher keys, authentication key and master key: 16 is AES-128, 32 is AES-256. */
  readonly keyOctets: 16 | 32;
  /** Of ECDSA and ECDH; null for suite 0, which has neither. */
  readonly curve: Curve | null;
  /** For signatures and key derivation. */
  readonly hash: 'sha256' | 'sha384' | null;
}

const SUITES: readonly SecuritySuite[] = [
  { id: 0, keyOctets: 16, curve: null, hash: null },
  { id: 1, keyOctets: 16, curve: 'P-256', hash: 'sha256' },
  { id: 2, keyOctets: 32, curve: 'P-384', hash: 'sha384' },
];

/** Throws SECURITY_UNSUPPORTED for the ids that the standard reserves. */
export function securitySuite(id: number): SecuritySuite {
  return SUITES[id] ?? fail('SECURITY_UNSUPPORTED', `security suite ${id} is not defined: there are 0, 1 and 2`);
}

/** What protection a message has, or must have. */
export const SECURITY_POLICIES = ['none', 'authenticated', 'encrypted', 'both'] as const;
export type SecurityPolicy = (typeof SECURITY_POLICIES)[number];

/** How general-ciphering tells which key protects a message. */
export const GENERAL_KEYS = ['identified', 'wrapped', 'one-pass', 'static-unified'] as const;
export type GeneralKey = (typeof GENERAL_KEYS)[number];

const SUITE_BITS = 0x0f;
const POLICY_BITS: Readonly<Record<SecurityPolicy, number>> = {
  none: 0x00,
  authenticated: 0x10,
  encrypted: 0x20,
  both: 0x30,
};
const BROADCAST_BIT = 0x40;

/** The security control for a message of ours. */
export function securityControlFor(
  suite: SuiteId,
  policy: Exclude<SecurityPolicy, 'none'>,
  keySet: SecurityControl['keySet'] = 'unicast',
): SecurityControl {
  return securityControlOf((suite & SUITE_BITS) | POLICY_BITS[policy] | (keySet === 'broadcast' ? BROADCAST_BIT : 0));
}

/** The policy that a message was protected by; `none` for neither. */
export function policyOf({ authenticated, encrypted }: SecurityControl): SecurityPolicy {
  if (encrypted) return authenticated ? 'both' : 'encrypted';
  return authenticated ? 'authenticated' : 'none';
}

/** Whether a message is protected at least as the policy wants it; else somebody may have stripped its protection. */
export function satisfiesPolicy({ authenticated, encrypted }: SecurityControl, policy: SecurityPolicy): boolean {
  const wanted = POLICY_BITS[policy];
  return (
    (authenticated || (wanted & POLICY_BITS.authenticated) === 0) &&
    (encrypted || (wanted & POLICY_BITS.encrypted) === 0)
  );
}
