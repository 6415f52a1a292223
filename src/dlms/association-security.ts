/**
 * The security context of one association: protects what is sent, opens what comes, and keeps the received counters
 * rising (Green Book 9.2.4, 9.2.7). Pure but for its own state: counters and random octets come from outside.
 */
import { BridgeError, fail } from '../core/errors.ts';
import {
  decodeOpened,
  hasServiceCiphering,
  isGloDed,
  type OpenedApdu,
  protectApdu,
  unprotectApdu,
  type Wrapping,
} from './security/apdu-protection.ts';
import { afterReceiving, FRESH_REPLAY_GUARD, type ReplayGuard } from './security/invocation-counter.ts';
import { type SecurityPolicy, type SuiteId, satisfiesPolicy, securityControlFor } from './security/suite.ts';
import type { Apdu } from './xdlms/apdu.ts';

export interface SecurityMaterial {
  readonly policy: Exclude<SecurityPolicy, 'none'>;
  readonly suite: SuiteId;
  /** 8 octets. */
  readonly clientTitle: Uint8Array;
  /** 8 octets, where it is configured; the AARE may tell it. */
  readonly serverTitle: Uint8Array | null;
  readonly blockCipherKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  /** To be proposed for this association alone. */
  readonly dedicatedKey: Uint8Array | null;
  /** General wrapping does not name us. */
  readonly omitsSystemTitle?: boolean;
  /** A counter of the global key that was never used and never will be again. */
  takeCounter(): number;
}

/** APDUs that a server may send without protection: it cannot protect what it could not open. */
const PLAIN_ALLOWED: ReadonlySet<Apdu['apdu']> = new Set(['exception-response', 'confirmedServiceError']);

export class ApduSecurity {
  private readonly material: SecurityMaterial;
  private serverTitle: Uint8Array | null;
  private guard: ReplayGuard = FRESH_REPLAY_GUARD;
  private dedicatedCounter = 0;
  private generalProtection = false;
  private dedicatedAgreed = false;

  constructor(material: SecurityMaterial) {
    this.material = material;
    this.serverTitle = material.serverTitle;
  }

  /** Once the AARE has come: its title goes before a configured one. */
  agreed(serverTitle: Uint8Array | null, generalProtection: boolean): void {
    this.generalProtection = generalProtection;
    if (serverTitle !== null) this.serverTitle = serverTitle;
  }

  /** The association stands: from here on the dedicated key holds. Peers open the proof of HLS with the global key only. */
  established(): void {
    this.dedicatedAgreed = this.material.dedicatedKey !== null;
  }

  /** Before the AARE's contents are opened. */
  learnServerTitle(title: Uint8Array): void {
    this.serverTitle = title;
  }

  /** The initiateRequest, always service-specific and under the global key. */
  protectInitiate(plain: Uint8Array): Uint8Array {
    return this.protectWith(plain, 'glo');
  }

  protect(plain: Uint8Array): Uint8Array {
    const keys = this.dedicatedAgreed ? 'ded' : 'glo';
    const serviceSpecific = !this.generalProtection && hasServiceCiphering(plain[0] ?? 0);
    return this.protectWith(plain, serviceSpecific ? keys : `general-${keys}`);
  }

  private protectWith(plain: Uint8Array, wrapping: Wrapping): Uint8Array {
    const { suite, policy, clientTitle, blockCipherKey, authenticationKey, dedicatedKey } = this.material;
    const dedicated = wrapping === 'ded' || wrapping === 'general-ded';
    return protectApdu(plain, wrapping, {
      securityControl: securityControlFor(suite, policy),
      invocationCounter: dedicated ? this.takeDedicated() : this.material.takeCounter(),
      encryptionKey: dedicated ? dedicatedKey : blockCipherKey,
      authenticationKey,
      systemTitle: clientTitle,
      omitSystemTitle: this.material.omitsSystemTitle ?? false,
    });
  }

  private takeDedicated(): number {
    const counter = this.dedicatedCounter;
    this.dedicatedCounter += 1;
    return counter;
  }

  /**
   * What is inside of a ciphered APDU. Throws DECRYPT_FAILED, REPLAYED, KEY_MISSING, and PROTECTION_MISSING for one that
   * is protected less than our policy: somebody may have stripped it. A message that fails changes nothing.
   * @param read makes an APDU of what was inside.
   */
  open(apdu: Apdu, read?: (plain: Uint8Array) => Apdu): Apdu {
    if (!isGloDed(apdu)) {
      if (PLAIN_ALLOWED.has(apdu.apdu)) return apdu;
      throw missing(`${apdu.apdu} came without protection`);
    }
    const opened = this.unprotect(apdu);
    this.guard = afterReceiving(this.guard, opened);
    if (!satisfiesPolicy(opened.securityControl, this.material.policy)) {
      throw missing(`the meter protects with security control ${opened.securityControl.raw} only`);
    }
    return decodeOpened(opened, read);
  }

  private unprotect(apdu: Parameters<typeof unprotectApdu>[0]): OpenedApdu {
    const { blockCipherKey, authenticationKey, dedicatedKey } = this.material;
    return unprotectApdu(apdu, {
      unicast: blockCipherKey,
      broadcast: null,
      dedicated: dedicatedKey,
      authentication: authenticationKey,
      systemTitle: this.serverTitle,
    });
  }
}

function missing(message: string): BridgeError {
  return new BridgeError('PROTECTION_MISSING', message);
}

/** Throws INVALID_VALUE when a configured title is not 16 hex digits. */
export function requireTitle(title: Uint8Array, whose: string): Uint8Array {
  if (title.length !== 8)
    fail('INVALID_VALUE', `the system title of the ${whose} has ${title.length} octets, not 8`, { layer: 'security' });
  return title;
}
