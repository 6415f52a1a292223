/** The flags that carry what must not be seen: passwords and keys; and whether what a meter is to be asked has all that it needs. */
import type { Command } from 'commander';
import { sameBytes } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { publicKeyOf } from '../../dlms/security/elliptic-curve.ts';
import {
  type CurveKey,
  certificateKey,
  readCertificate,
  readPrivateKey,
  readPublicKey,
} from '../../dlms/security/key-material.ts';
import { securitySuite } from '../../dlms/security/suite.ts';
import type { MeterSecrets, MeterSettings } from '../../dlms/settings.ts';
import { parseKey, parseSecret, parseSecretOctets } from './values.ts';

export interface SecretFlags {
  readonly secret?: string;
  readonly blockCipherKey?: string;
  readonly authenticationKey?: string;
  readonly masterKey?: string;
  readonly signingKey?: string;
  readonly agreementKey?: string;
  readonly certificate?: string;
  readonly serverSigningKey?: string;
  readonly serverAgreementKey?: string;
  readonly serverAuthority?: string;
}

export function addSecretFlags(command: Command): Command {
  return command
    .option('--secret <secret>', 'password or HLS secret: TEXT, hex:.., file:PATH or env:NAME')
    .option('--block-cipher-key <key>', 'global encryption key: hex, file:PATH or env:NAME')
    .option('--authentication-key <key>', 'authentication key: hex, file:PATH or env:NAME')
    .option('--master-key <key>', 'key encryption key, for keys that travel wrapped: hex, file:PATH or env:NAME')
    .option('--signing-key <key>', 'our private key for signatures: file:PATH or env:NAME with PEM, or hex')
    .option('--agreement-key <key>', 'our private key for key agreement, written likewise')
    .option('--certificate <certificate>', 'of our signing key, sent in the AARQ: PEM or hex, file: and env: work')
    .option('--server-signing-key <key>', "the meter's public key for signatures, or its certificate: PEM or hex")
    .option('--server-agreement-key <key>', "the meter's public key for key agreement, or its certificate")
    .option('--server-authority <certificate>', 'certificate of the authority that certifies the keys of meters');
}

/** Throws SECRET_UNREADABLE, INVALID_VALUE. */
export function secretsFromFlags(flags: SecretFlags): MeterSecrets {
  const symmetric = (flag: string, text: string | undefined): Uint8Array | null =>
    text === undefined ? null : parseKey(flag, text);
  const secrets: MeterSecrets = {
    secret: flags.secret === undefined ? null : parseSecret(flags.secret),
    blockCipherKey: symmetric('--block-cipher-key', flags.blockCipherKey),
    authenticationKey: symmetric('--authentication-key', flags.authenticationKey),
    masterKey: symmetric('--master-key', flags.masterKey),
    signingKey: curveKey('--signing-key', flags.signingKey, readPrivateKey),
    agreementKey: curveKey('--agreement-key', flags.agreementKey, readPrivateKey),
    certificate: certificate('--certificate', flags.certificate),
    serverSigningKey: curveKey('--server-signing-key', flags.serverSigningKey, readPublicKey),
    serverAgreementKey: curveKey('--server-agreement-key', flags.serverAgreementKey, readPublicKey),
    serverAuthority: certificate('--server-authority', flags.serverAuthority),
  };
  requireFittingCertificate(secrets);
  return secrets;
}

/** A key or certificate of one flag. Throws SECRET_UNREADABLE, INVALID_VALUE. */
export function curveKey(
  flag: string,
  text: string | undefined,
  read: (octets: Uint8Array, what: string) => CurveKey,
): Uint8Array | null {
  return text === undefined ? null : read(parseSecretOctets(text), flag).key;
}

export function certificate(flag: string, text: string | undefined): Uint8Array | null {
  return text === undefined ? null : readCertificate(parseSecretOctets(text), flag);
}

function requireFittingCertificate({ certificate: der, signingKey }: MeterSecrets): void {
  if (der === null) return;
  const { curve, key } = certificateKey(der, '--certificate');
  if (signingKey === null || !sameBytes(publicKeyOf(curve, signingKey), key)) {
    fail('INVALID_VALUE', '--certificate is not that of --signing-key');
  }
}

/** What a level or policy needs and was not given is a mistake on the command line, not one of the meter. Throws USAGE. */
export function requireSecrets(settings: MeterSettings, secrets: MeterSecrets): void {
  const { authentication, security } = settings;
  requireStanding(settings);
  if (['low', 'high', 'md5', 'sha1', 'sha256'].includes(authentication) && secrets.secret === null) {
    fail('USAGE', `--auth ${authentication} needs --secret`, { hint: 'give it as --secret env:NAME or file:PATH' });
  }
  if (authentication === 'ecdsa') requireSignatures(secrets, '--auth ecdsa');
  requireProtection(settings, secrets);
  requireCurves(settings, secrets);
  if (security === 'none' && authentication !== 'gmac') return;
  if (secrets.blockCipherKey === null) {
    fail('USAGE', 'ciphering and --auth gmac need --block-cipher-key', { hint: 'give it as env:NAME or file:PATH' });
  }
  if (secrets.authenticationKey === null && (security !== 'encrypted' || authentication === 'gmac')) {
    fail('USAGE', 'authenticated messages and --auth gmac need --authentication-key', {
      hint: 'give it as env:NAME or file:PATH',
    });
  }
}

/** What a pre-established association cannot have, and what only an AARE could tell. */
function requireStanding({ preEstablished, authentication, security, serverSystemTitle }: MeterSettings): void {
  if (preEstablished === null) return;
  if (authentication !== 'none') {
    fail('USAGE', `--pre-established has no exchange that --auth ${authentication} could be part of`);
  }
  if (security !== 'none' && serverSystemTitle === null) {
    fail('USAGE', '--pre-established with --security needs --server-system-title: no AARE tells it');
  }
}

/** General ciphering and signatures; each key by what it is for. */
function requireProtection({ protection, signing, security }: MeterSettings, secrets: MeterSecrets): void {
  const { masterKey, agreementKey, serverAgreementKey } = secrets;
  const wantsMore = signing || (protection !== 'negotiated' && protection !== 'service');
  if (security === 'none' && wantsMore) {
    fail('USAGE', '--sign and --protection need --security', { hint: 'give --security both' });
  }
  if (protection === 'wrapped' && masterKey === null) fail('USAGE', '--protection wrapped needs --master-key');
  if (signing) requireSignatures(secrets, '--sign');
  if (protection !== 'one-pass' && protection !== 'static-unified') return;
  if (agreementKey === null || serverAgreementKey === null) {
    fail('USAGE', `--protection ${protection} needs --agreement-key and --server-agreement-key`);
  }
  if (protection === 'one-pass') requireSignatures(secrets, '--protection one-pass');
}

function requireSignatures({ signingKey, serverSigningKey, serverAuthority }: MeterSecrets, what: string): void {
  if (signingKey === null) fail('USAGE', `${what} needs --signing-key`, { hint: 'give it as file:PATH or env:NAME' });
  if (serverSigningKey === null && serverAuthority === null) {
    fail('USAGE', `${what} needs --server-signing-key, or --server-authority for meters that send their certificate`);
  }
}

/** Octets of the keys of each curve tell the curve. */
function requireCurves({ suite, authentication, protection, signing }: MeterSettings, secrets: MeterSecrets): void {
  const { curve } = securitySuite(suite);
  const wanted = [
    ...(authentication === 'ecdsa' ? ['--auth ecdsa'] : []),
    ...(signing ? ['--sign'] : []),
    ...(protection === 'one-pass' || protection === 'static-unified' ? [`--protection ${protection}`] : []),
  ];
  if (curve === null && wanted.length > 0) fail('USAGE', `${wanted.join(', ')} needs --suite 1 or 2`);
  const scalar = curve === 'P-384' ? 48 : 32;
  const { signingKey, agreementKey, serverSigningKey, serverAgreementKey } = secrets;
  const wrong =
    [signingKey, agreementKey].some((key) => key !== null && key.length !== scalar) ||
    [serverSigningKey, serverAgreementKey].some((key) => key !== null && key.length !== 2 * scalar);
  if (curve !== null && wrong)
    fail('INVALID_VALUE', `the keys of suite ${suite} are of ${curve}; one is of another curve`);
}
