/** What one connection has been through: its latest ends, the conduct that follows, and rows that are under suspicion. */
import { BridgeError } from '../../core/errors.ts';
import type { OutboxRow } from '../../store/local/types.ts';
import type { RunEnd } from '../session/session-end.ts';
import { type Judgement, judge } from './classifier.ts';
import type { SessionPlan } from './conduct.ts';
import { afterEnd, afterStanding, type Conduct, isConflict, NORMAL, type OnConflict, planOf } from './conduct.ts';

/** Ends that are judged together. */
const HISTORY = 16;
/** Closes with one and the same row alone on its way before it is set aside. */
const STRIKES = 3;

export interface Lesson {
  readonly judgement: Judgement;
  /** A row that the server closed the connection over again and again, and why it is believed to be that row. */
  readonly poison: { readonly row: OutboxRow; readonly reason: string } | null;
}

export class Experience {
  private readonly policy: OnConflict;
  private readonly history: RunEnd[] = [];
  /** By row: how often it was alone on its way when the session was closed, and what was acknowledged before the first. */
  private readonly strikes = new Map<number, { count: number; readonly acknowledged: number }>();
  private suspects: ReadonlySet<number> = new Set();
  private conduct: Conduct = NORMAL;

  constructor(policy: OnConflict) {
    this.policy = policy;
  }

  get mode(): Conduct['mode'] {
    return this.conduct.mode;
  }

  /** Another client uses the token, as far as is known. */
  get conflict(): boolean {
    return isConflict(this.conduct);
  }

  /** What the next session is to be; `now` monotonic. */
  plan(now: number): SessionPlan {
    return planOf(this.conduct, now);
  }

  /** Rows that the next session is to leave out until it has stood for a while: the last one ended over them. */
  get underSuspicion(): ReadonlySet<number> {
    return this.suspects;
  }

  /** `acknowledged`: messages that were acknowledged so far, in all sessions. */
  learn(end: RunEnd, acknowledged: number): Lesson {
    this.history.push(end);
    if (this.history.length > HISTORY) this.history.shift();
    const judgement = judge(this.history);
    const poison = this.strike(end, judgement, acknowledged);
    this.conduct = afterEnd(this.conduct, end, judgement, this.policy);
    return { judgement, poison };
  }

  /** A session has stood for a while. */
  stable(): void {
    this.conduct = afterStanding();
  }

  /**
   * A row that was alone on its way each time when the server closed the session is what it would not have, if it took
   * others in between: a limit that is used up closes over whatever comes.
   */
  private strike({ alone, witness }: RunEnd, { cause }: Judgement, acknowledged: number): Lesson['poison'] {
    this.suspects = new Set();
    // With a witness alive it was sent after a silence that the session had survived: no rival closed it.
    const overTheRow = witness === 'alive' || cause === 'payload-rejected';
    if (alone === null || !overTheRow || this.conduct.mode !== 'wary') return null;
    const strike = this.strikes.get(alone.id) ?? { count: 0, acknowledged };
    strike.count += 1;
    this.strikes.set(alone.id, strike);
    this.suspects = new Set([alone.id]);
    if (strike.count < STRIKES || acknowledged === strike.acknowledged) return null;
    this.strikes.delete(alone.id);
    const reason = `the server closed the connection each of ${strike.count} times that it was sent alone, and took others`;
    return { row: alone, reason };
  }
}

/** The judgement as an error to report; under MQTT 5 the server's own words. */
export function conflictError({ evidence }: Judgement, error: BridgeError): BridgeError {
  return error.code === 'MQTT_CONFLICT' ? error : new BridgeError('MQTT_CONFLICT', evidence, { cause: error });
}
