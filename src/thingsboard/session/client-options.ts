/** What mqtt.js is told: transport, credentials, and that it times nothing out and holds nothing back by itself. */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { IClientOptions } from 'mqtt';
import { fail } from '../../core/errors.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { type Credentials, credentialsOf } from '../../store/fleet/credentials.ts';
import type { Target } from '../../store/fleet/types.ts';
import type { SessionOptions } from './connection.ts';

/** Longest setTimeout: mqtt.js must not time anything out by itself. */
const NEVER_MS = 0x7fff_ffff;

/** What mqtt.js is started with. Throws MQTT_TLS when a file cannot be read. */
export async function mqttOptions({
  target,
  token,
  clientId,
  clock,
  keepaliveSeconds,
}: SessionOptions): Promise<IClientOptions> {
  const { protocol, hostname, port } = new URL(target.url);
  const secure = protocol === 'mqtts:';
  return {
    protocol: secure ? 'mqtts' : 'mqtt',
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || (secure ? 8883 : 1883)),
    ...(secure ? await tlsOptions(target, token) : {}),
    protocolVersion: target.protocol === '5' ? 5 : 4,
    clientId,
    ...identityOf(credentialsOf(token)),
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: NEVER_MS,
    keepalive: keepaliveSeconds,
    // A ping now and then costs less than setting its timer anew at every PUBACK.
    reschedulePings: false,
    timerVariant: intervals(clock),
    // Its debug log prints the username, which is the token.
    log: () => undefined,
  };
}

/** What the CONNECT says of us. A client certificate speaks for itself: ThingsBoard does not look at a token beside it. */
function identityOf(credentials: Credentials): Pick<IClientOptions, 'username' | 'password'> {
  if (credentials.kind === 'x509') return {};
  if (credentials.kind === 'token') return { username: credentials.token };
  const { username, password } = credentials;
  return { ...(username === null ? {} : { username }), ...(password === null ? {} : { password }) };
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

/** mqtt.js' keep-alive interval over our clock. */
function intervals(clock: Clock): NonNullable<Exclude<IClientOptions['timerVariant'], string>> {
  const timers = new Map<number, Timer>();
  let last = 0;
  return {
    set(callback, ms) {
      last += 1;
      const id = last;
      const arm = (): void => {
        timers.set(
          id,
          clock.setTimer(ms ?? 0, () => {
            arm();
            callback();
          }),
        );
      };
      arm();
      return id;
    },
    clear(id) {
      timers.get(id)?.cancel();
      timers.delete(id);
    },
  };
}
