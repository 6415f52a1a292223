/** When the certificates of a session expire. */
import { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { credentialsOf } from '../../store/fleet/credentials.ts';

/** The server's or ours, whichever is first, milliseconds UTC; null without TLS. */
export function certificateExpiry(stream: unknown, token: string): number | null {
  if (!(stream instanceof TLSSocket)) return null;
  const credentials = credentialsOf(token);
  const theirs = stream.getPeerCertificate().valid_to;
  const ours = credentials.kind === 'x509' ? new X509Certificate(credentials.certificate).validTo : undefined;
  const times = [theirs, ours]
    .flatMap((text) => (text === undefined ? [] : [Date.parse(text)]))
    .filter(Number.isFinite);
  return times.length === 0 ? null : Math.min(...times);
}
