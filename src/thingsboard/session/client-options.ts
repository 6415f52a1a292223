/** What mqtt.js is told: credentials, and that it times nothing out and holds nothing back by itself. */
import type { IClientOptions } from 'mqtt';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { type Credentials, credentialsOf } from '../../store/fleet/credentials.ts';
import type { SessionOptions } from './connection.ts';

/** Longest setTimeout: mqtt.js must not time anything out by itself. */
const NEVER_MS = 0x7fff_ffff;

/** What mqtt.js is started with. */
export function mqttOptions({ target, token, clientId, clock, keepaliveSeconds }: SessionOptions): IClientOptions {
  return {
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
