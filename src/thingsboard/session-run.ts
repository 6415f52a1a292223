/** One session from its CONNECT to its end, as a plan says: with a witness or without, silent first, one by one, a turn. */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { STABLE_MS } from './conduct/backoff.ts';
import type { SessionPlan } from './conduct/conduct.ts';
import { type BareConnection, openWitness } from './conduct/witness.ts';
import type { Delivery } from './delivery/delivery.ts';
import { type MqttSession, openSession, type SessionOptions } from './session/connection.ts';
import type { RunEnd, SessionEnd } from './session/session-end.ts';

export interface SessionRunOptions extends SessionOptions {
  readonly plan: SessionPlan;
  /** The session stands: what delivers over it. Throws when the outbox cannot be read. */
  delivery(session: MqttSession): Delivery;
  /** It has stood for `STABLE_MS`. */
  onStable(): void;
  /** Nothing is left to deliver, or there was no session. */
  isEmpty(): boolean;
}

/** How often the outbox is looked through from its beginning: rows may come back from quarantine. */
const RESCAN_MS = 30_000;
/** How often a turn looks whether everything is delivered, milliseconds. */
const TURN_LOOK_MS = 20;

/** Resolves when the session has ended, or could not be opened; never rejects. */
export async function runSession(options: SessionRunOptions): Promise<RunEnd> {
  const { clock, plan, target, signal } = options;
  const witness = plan.witness ? openWitness(target.url, clock) : null;
  let session: MqttSession;
  try {
    session = await openSession(options);
  } catch (thrown) {
    witness?.close();
    return ended(clock, { error: asBridgeError(thrown), stoodMs: 0 });
  }
  const since = clock.monotonic();
  const standing = stand(session, options);
  const error = await session.closed;
  const stoodMs = Math.max(1, clock.monotonic() - since);
  const alone = standing.end()?.endedAlone ?? null;
  const { inFlight, refusedWith } = session;
  const end = { ...ended(clock, { error, stoodMs }), inFlight, refusedWith, alone };
  return { ...end, witness: await testimony(witness, error, signal) };
}

function ended(clock: Clock, { error, stoodMs }: Pick<SessionEnd, 'error' | 'stoodMs'>): RunEnd {
  return { at: clock.monotonic(), error, stoodMs, inFlight: 0, refusedWith: null, witness: null, alone: null };
}

/** Only a close without a reason needs a witness; to hear it takes a moment. */
async function testimony(
  witness: BareConnection | null,
  error: BridgeError,
  signal: AbortSignal,
): Promise<SessionEnd['witness']> {
  if (witness === null) return null;
  if (error.code === 'MQTT_CLOSED') return witness.testify(signal);
  witness.close();
  return null;
}

/** Sets everything going; the function returned ends it all. */
function stand(session: MqttSession, options: SessionRunOptions): { end(): Delivery | null } {
  const { clock, plan } = options;
  const timers = new Set<Timer>();
  let delivery: Delivery;
  try {
    delivery = options.delivery(session);
  } catch (thrown) {
    // The outbox cannot be read: no use in a session.
    session.close(asBridgeError(thrown));
    return { end: () => null };
  }
  const every = (ms: number, action: () => void): void => {
    const timer = clock.setTimer(ms, () => {
      timers.delete(timer);
      every(ms, action);
      action();
    });
    timers.add(timer);
  };
  const once = (ms: number, action: () => void): void => void timers.add(clock.setTimer(ms, action));

  if (plan.silentMs === 0) delivery.begin();
  else once(plan.silentMs, () => delivery.begin());
  every(RESCAN_MS, () => delivery.restart());
  once(STABLE_MS, () => {
    delivery.widen();
    options.onStable();
  });
  if (plan.turnMs !== null) takeTurn(session, delivery, options, plan.turnMs, { every, once });
  return {
    end() {
      for (const timer of timers) timer.cancel();
      delivery.end();
      return delivery;
    },
  };
}

interface Timers {
  every(ms: number, action: () => void): void;
  once(ms: number, action: () => void): void;
}

/** Leaves in order as soon as everything is delivered, at the latest when the turn is over. */
function takeTurn(
  session: MqttSession,
  delivery: Delivery,
  { isEmpty }: SessionRunOptions,
  turnMs: number,
  { every, once }: Timers,
): void {
  const leave = (): void => void delivery.windDown().then(() => session.leave());
  once(turnMs, leave);
  every(TURN_LOOK_MS, () => {
    if (delivery.idle && isEmpty()) leave();
  });
}
