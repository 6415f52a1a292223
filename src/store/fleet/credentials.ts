/**
 * How a connection proves who it is: an access token, MQTT basic credentials or a client certificate. All of them are
 * kept where the token is, sealed, each once per broker; what is no bare token stands there as `credentials:` and JSON
 * in base64url.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { fail } from '../../core/errors.ts';

export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  /** Each part as the device's credentials in ThingsBoard have it; null for none. The client ID is part of the proof. */
  | {
      readonly kind: 'basic';
      readonly clientId: string | null;
      readonly username: string | null;
      readonly password: string | null;
    }
  /** PEM; the certificate may be followed by its chain. */
  | { readonly kind: 'x509'; readonly certificate: string; readonly key: string };

const PREFIX = 'credentials:';

/** The text that is kept, in one form for the same credentials. Throws INVALID_VALUE. */
export function credentialsText(credentials: Credentials): string {
  if (credentials.kind === 'token') return credentials.token;
  return PREFIX + Buffer.from(JSON.stringify(checked(credentials))).toString('base64url');
}

/** Whether the text is more than a bare access token. */
export function isCredentials(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** Throws INVALID_VALUE when the text is not of `credentialsText`. */
export function credentialsOf(token: string): Credentials {
  if (!isCredentials(token)) return { kind: 'token', token };
  try {
    return JSON.parse(Buffer.from(token.slice(PREFIX.length), 'base64url').toString()) as Credentials;
  } catch (cause) {
    return fail('INVALID_VALUE', 'the stored credentials cannot be read', { cause });
  }
}

function checked(credentials: Exclude<Credentials, { kind: 'token' }>): Credentials {
  if (credentials.kind === 'x509') {
    const { kind, certificate, key } = credentials;
    requirePair(certificate, key);
    return { kind, certificate: certificate.trim(), key: key.trim() };
  }
  const { kind, clientId, username, password } = credentials;
  if (clientId === null && username === null) fail('INVALID_VALUE', 'basic credentials need a username or a client ID');
  if (password !== null && username === null) fail('INVALID_VALUE', 'a password needs a username');
  return { kind, clientId, username, password };
}

/** Neither text is repeated in the error: one of them is a key. */
function requirePair(certificate: string, key: string): void {
  let isPair = false;
  try {
    isPair = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    fail('INVALID_VALUE', 'the client certificate or its key is no PEM that can be read');
  }
  if (!isPair) fail('INVALID_VALUE', 'the key is not that of the client certificate');
}
