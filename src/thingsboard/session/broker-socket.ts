/** The way to a broker: its address, and the socket under a session, plain or TLS. */
import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates, type TLSSocket } from 'node:tls';
import { fail } from '../../core/errors.ts';
import { credentialsOf } from '../../store/fleet/credentials.ts';
import type { Target } from '../../store/fleet/types.ts';

export interface BrokerAddress {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** Of a target's URL. */
export function brokerAddress(url: string): BrokerAddress {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'mqtts:';
  return { secure, host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || (secure ? 8883 : 1883)) };
}

export interface TlsOptions {
  readonly ca?: string[];
  readonly servername?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Whom to trust besides those that Node knows, the name that the server has to have, and our certificate if the token is
 * one. Throws MQTT_TLS when the file cannot be read.
 */
export async function tlsOptions({ caFile, settings }: Target, token = ''): Promise<TlsOptions> {
  const credentials = credentialsOf(token);
  const serverName = settings?.serverName ?? null;
  return {
    ...(caFile === null ? {} : { ca: [...rootCertificates, await certificate(caFile)] }),
    ...(serverName === null ? {} : { servername: serverName }),
    ...(credentials.kind === 'x509' ? { cert: credentials.certificate, key: credentials.key } : {}),
  };
}

async function certificate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    return fail('MQTT_TLS', `cannot read the CA file ${path}: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    });
  }
}

/** Begins to connect, with TLS where the address wants it. */
export function brokerSocket({ secure, host, port }: BrokerAddress, tls: TlsOptions): Socket {
  return secure ? secureSocket(host, port, tls) : connect({ host, port });
}

/** `secureConnect` comes only when the server is who it has to be; `error` otherwise. */
export function secureSocket(host: string, port: number, tls: TlsOptions): TLSSocket {
  // Node tells the server which name is meant only if told so, and an address is no name (RFC 6066, 3).
  const named = isIP(host) === 0 ? { servername: host } : {};
  // Else NODE_TLS_REJECT_UNAUTHORIZED would decide.
  return connectTls({ host, port, rejectUnauthorized: true, ...named, ...tls });
}
