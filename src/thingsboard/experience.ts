/** What one connection has been through: its latest ends, the conduct that follows, and rows that are under suspicion. */
import { BridgeError } from '../core/errors.ts';
import type { OutboxRow } from '../store/local/types.ts';
import { type Judgement, judge } from './classifier.ts';
import type { SessionPlan } from './conduct.ts';
import { afterEnd, afterStanding, type Conduct, isConflict, NORMAL, type OnConflict, planOf } from './conduct.ts';
import type { RunEnd } from './session-run.ts';

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
  /** By row: how often it was alone on its way when the session was closed. */
  private readonly strikes = new Map<number, number>();
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

  learn(end: RunEnd): Lesson {
    this.history.push(end);
    if (this.history.length > HISTORY) this.history.shift();
    const judgement = judge(this.history);
    const poison = this.strike(end);
    this.conduct = afterEnd(this.conduct, end, judgement, this.policy);
    return { judgement, poison };
  }

  /** A session has stood for a while. */
  stable(): void {
    this.conduct = afterStanding();
  }

  /** A row that was alone on its way each time when the server closed just our session is what it would not have. */
  private strike({ alone, witness }: RunEnd): Lesson['poison'] {
    // It was sent after a silence that the session had survived: no rival closed it.
    if (alone === null || witness !== 'alive' || this.conduct.mode !== 'wary') return null;
    const strikes = (this.strikes.get(alone.id) ?? 0) + 1;
    this.strikes.set(alone.id, strikes);
    if (strikes < STRIKES) return null;
    this.strikes.delete(alone.id);
    return { row: alone, reason: `the server closed the connection each of ${strikes} times that it was sent alone` };
  }
}

/** The judgement as an error to report; under MQTT 5 the server's own words. */
export function conflictError({ evidence }: Judgement, error: BridgeError): BridgeError {
  return error.code === 'MQTT_CONFLICT' ? error : new BridgeError('MQTT_CONFLICT', evidence, { cause: error });
}
