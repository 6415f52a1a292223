/**
 * The broker's side. While the daemon runs its own session is judged from its status: a second session with the same token
 * would throw it out, which is the very trouble that is looked for. Name, port and certificate can be tried beside it.
 */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp } from 'node:net';
import { BridgeError, errorOfReport, fail } from '../../core/errors.ts';
import type { ConnectionStatus } from '../../daemon/publisher-set.ts';
import { connectedToo } from '../../daemon/status/health-checks.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';
import type { Connection, Target } from '../../store/fleet/types.ts';
import { isShortClose, judge } from '../../thingsboard/conduct/classifier.ts';
import { conflictError } from '../../thingsboard/conduct/experience.ts';
import { type BareConnection, openWitness } from '../../thingsboard/conduct/witness.ts';
import { brokerAddress, secureSocket, tlsOptions } from '../../thingsboard/session/broker-socket.ts';
import { type MqttSession, newClientId, openSession } from '../../thingsboard/session/connection.ts';
import type { SessionEnd } from '../../thingsboard/session/session-end.ts';
import { DEVICE_ATTRIBUTES } from '../../thingsboard/session/topics.ts';
import { rivalsBeside } from '../rivals.ts';
import { age } from '../views/figures.ts';
import { BROKER_STEPS, type StepName, type Walk } from './steps.ts';

const CONNECT_MS = 5000;
const CONNACK_MS = 15_000;
const ACK_MS = 10_000;
/** A rival that reconnects is back within seconds. */
const RIVAL_MS = 3000;
/** A session that stands for so long has no rival. */
const UNDISTURBED_MS = 60_000;

export interface Broker {
  readonly target: Target;
  readonly connection: Connection;
  /** Null without a running daemon. */
  readonly daemonPid: number | null;
  /** Of the running daemon; null without one, undefined when it has told nothing yet. */
  readonly status: ConnectionStatus | null | undefined;
}

export async function walkBroker(walk: Walk, broker: Broker, signal: AbortSignal): Promise<void> {
  const { target, status } = broker;
  const { secure, host, port } = brokerAddress(target.url);
  await walk.step('dns', () => resolves(host));
  await walk.step('tcp', () => reaches(host, port));
  await walk.step('tls', () => (secure ? handshake(broker, host, port) : { skipped: `${target.url} is without TLS` }));
  if (status === null) await walkOwnSession(walk, broker, signal);
  else await walkDaemonSession(walk, broker, status);
}

async function resolves(host: string): Promise<string> {
  const found = await lookup(host, { all: true }).catch((cause: Error) =>
    fail('MQTT_UNREACHABLE', `${host} has no address: ${cause.message}`, {
      cause,
      hint: 'check the name in `target list`, and the name server of this host',
    }),
  );
  return found.map(({ address }) => address).join(', ');
}

function reaches(host: string, port: number): Promise<string> {
  return connecting(`${host}:${port}`, (ready) => connectTcp({ host, port }, ready), 'MQTT_UNREACHABLE');
}

async function handshake({ target, connection: { token } }: Broker, host: string, port: number): Promise<string> {
  const tls = await tlsOptions(target, token);
  return connecting(
    `${host}:${port}`,
    (ready) => secureSocket(host, port, tls).once('secureConnect', ready),
    'MQTT_TLS',
  );
}

interface Socket {
  on(event: 'error', listener: (error: Error) => void): unknown;
  destroy(): unknown;
}

function connecting(what: string, open: (ready: () => void) => Socket, code: 'MQTT_UNREACHABLE' | 'MQTT_TLS') {
  return new Promise<string>((resolve, reject) => {
    const end = (settle: () => void): void => {
      timer.cancel();
      socket.destroy();
      settle();
    };
    const socket = open(() => end(() => resolve(what)));
    const timer = systemClock.setTimer(CONNECT_MS, () =>
      end(() => reject(new BridgeError(code, `${what} did not answer within ${CONNECT_MS} ms`))),
    );
    socket.on('error', (cause) => end(() => reject(new BridgeError(code, `${what}: ${cause.message}`, { cause }))));
  });
}

/** No daemon is there to be thrown out: the token is free for us, unless a rival has it. */
async function walkOwnSession(walk: Walk, broker: Broker, signal: AbortSignal): Promise<void> {
  const { target } = broker;
  let watched: WatchedSession | null = null;
  try {
    await walk.step('connack', async () => {
      watched = await openWatched(broker, signal);
      return `MQTT ${target.protocol}, client ID ${watched.session.clientId}`;
    });
    await walk.step('puback', async () => {
      const payload = JSON.stringify({ dlmsDiagnosedAt: systemClock.now() });
      await watched?.session.publish({ topic: DEVICE_ATTRIBUTES, payload });
      return 'a client attribute (dlmsDiagnosedAt) was acknowledged';
    });
    await walk.step('token', async () => {
      const history: SessionEnd[] = [];
      for (;;) {
        const end = await endOf(watched as WatchedSession, signal);
        if (end === null) return `nobody took the session over within ${RIVAL_MS / 1000} s`;
        history.push(end);
        const judgement = judge(history);
        if (judgement.cause === 'conflict') throw await withRivals(conflictError(judgement, end.error), broker);
        // Without a reason code one close is no proof: a second session says nothing at all.
        if (!isShortClose(end) || history.length > 1) throw end.error;
        watched = await openWatched(broker, signal);
      }
    });
  } finally {
    close(watched);
  }
}

interface WatchedSession {
  readonly session: MqttSession;
  readonly witness: BareConnection;
  /** Monotonic, milliseconds. */
  readonly since: number;
}

async function openWatched({ target, connection }: Broker, signal: AbortSignal): Promise<WatchedSession> {
  const witness = openWitness(target.url, systemClock);
  try {
    const session = await openSession({
      target,
      token: connection.token,
      clientId: newClientId(),
      clock: systemClock,
      connackTimeoutMs: CONNACK_MS,
      ackTimeoutMs: ACK_MS,
      keepaliveSeconds: 60,
      signal,
    });
    return { session, witness, since: systemClock.monotonic() };
  } catch (thrown) {
    witness.close();
    throw thrown;
  }
}

function close(watched: WatchedSession | null): void {
  watched?.witness.close();
  watched?.session.close();
}

/** How the session ended within the time in which a rival is back; null: it stands. */
async function endOf({ session, witness, since }: WatchedSession, signal: AbortSignal): Promise<SessionEnd | null> {
  const waited = sleep(systemClock, RIVAL_MS, signal).then(() => null);
  const error = await Promise.race([session.closed, waited]);
  if (error === null) return null;
  const at = systemClock.monotonic();
  const { inFlight, refusedWith } = session;
  return { at, stoodMs: Math.max(1, at - since), error, inFlight, refusedWith, witness: await witness.testify(signal) };
}

/** The conflict with who else of this host is at the broker. */
async function withRivals(
  { code, message, hint, facts }: BridgeError,
  { target, daemonPid }: Broker,
): Promise<BridgeError> {
  const who = connectedToo(await rivalsBeside(target.url, daemonPid));
  return new BridgeError(code, `${message}; ${who}`, { hint, facts });
}

/** Which step the last error of a daemon's session belongs to. */
function stepOfSession(code: string): StepName {
  if (code === 'MQTT_CONFLICT') return 'token';
  return code === 'MQTT_ACK_TIMEOUT' || code === 'MQTT_REFUSED' ? 'puback' : 'connack';
}

async function walkDaemonSession(walk: Walk, broker: Broker, status: ConnectionStatus | undefined): Promise<void> {
  const now = systemClock.now();
  const failed = status?.lastError == null ? null : stepOfSession(status.lastError.code);
  const isCurrent = status !== undefined && (status.state !== 'connected' || status.conflict);
  const failedAt = async (name: StepName): Promise<void> => {
    if (!isCurrent || failed !== name || status.lastError === null) return;
    const error = errorOfReport(status.lastError);
    throw name === 'token' ? await withRivals(error, broker) : error;
  };
  for (const name of BROKER_STEPS.slice(BROKER_STEPS.indexOf('connack'))) {
    await walk.step(name, async () => {
      if (status === undefined) return { skipped: 'the daemon has told nothing of this connection yet' };
      await failedAt(name);
      const { state, clientId, connectedSince, messages, pending } = status;
      if (name === 'connack') {
        return state === 'connected'
          ? `the daemon's session stands, ${age(connectedSince, now)} opened, client ID ${clientId}`
          : { skipped: `the daemon's session is ${state}` };
      }
      if (name === 'puback') {
        return messages > 0
          ? `${messages} messages acknowledged, ${pending} rows wait`
          : { skipped: `nothing was published yet; ${pending} rows wait` };
      }
      const stands = state === 'connected' && connectedSince !== null ? now - connectedSince : 0;
      return stands > UNDISTURBED_MS || status.conflicts === 0
        ? `no other client took the token's session over (${status.conflicts} times since the daemon started)`
        : {
            skipped: `taken over ${status.conflicts} times; the session stands for ${Math.round(stands / 1000)} s only`,
          };
    });
  }
}
