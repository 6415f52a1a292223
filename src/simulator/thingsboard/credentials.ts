/** Whose credentials a CONNECT brings: access token, MQTT basic, X.509. */
import type { IConnectPacket } from 'mqtt-packet';
import type { Refusal } from './answers.ts';
import { PROVISIONING } from './provisioning.ts';

export interface DoubleToken {
  /** The access token; of basic or X.509 credentials just a name. */
  readonly token: string;
  /** Name of the device whose credentials this is. */
  readonly device: string;
  readonly gateway: boolean;
  /** MQTT basic instead of a token: what is given has to match, the client ID too. */
  readonly basic?: { readonly clientId?: string; readonly username?: string; readonly password?: string };
  /** X.509 instead of a token: the certificate's SHA-256 fingerprint as node:tls writes it. */
  readonly certificate?: string;
}

/**
 * A client certificate that is presented is what counts. The client ID does not count for access tokens, nor does a
 * password. `certificate`: the fingerprint of the client's, null without one.
 */
export function authenticated(
  tokens: readonly DoubleToken[],
  { username, password, clientId }: IConnectPacket,
  certificate: string | null,
): DoubleToken | Refusal {
  if (username === PROVISIONING.token) return PROVISIONING;
  if (certificate !== null) return tokens.find((one) => one.certificate === certificate) ?? 'no-credentials';
  const ofBasic = tokens.find(
    ({ basic }) =>
      basic !== undefined &&
      (basic.clientId === undefined || basic.clientId === clientId) &&
      basic.username === username &&
      (basic.password === undefined || basic.password === password?.toString()),
  );
  if (ofBasic !== undefined) return ofBasic;
  if (username === undefined) return clientId === '' ? 'no-credentials' : 'unknown-client-id';
  const bare = tokens.filter(
    ({ basic, certificate: ofCertificate }) => basic === undefined && ofCertificate === undefined,
  );
  return bare.find(({ token }) => token === username) ?? 'bad-credentials';
}
