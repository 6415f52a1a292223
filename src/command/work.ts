/** What a verb needs of its meter, whether a daemon holds the line or the verb opened it for itself. */
import type { JsonValue } from '../core/json.ts';
import type { Knowledge, LearnedFact } from '../meter/knowledge.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';

export interface MeterWork {
  readonly clock: Clock;
  /** What is known of the meter; verbs add to it. */
  readonly knowledge: Knowledge;
  /**
   * Runs with a standing association: one job on the meter's line, before polls. It may be run once more when a standing
   * association turns out to be dead. Throws METER_*, LINE_* and the like, and why the work has to end.
   */
  job<T>(run: (session: MeterSession) => Promise<T>): Promise<T>;
  /**
   * To be awaited in a job right before the first service that changes the meter. From then on nothing is repeated and
   * nothing ends it before its time. Throws COMMAND_OUTCOME_UNKNOWN when it was here before.
   */
  beginActing(session: MeterSession): Promise<void>;
  /** What was learned on the way and is worth keeping. */
  keep(learned: readonly LearnedFact[]): Promise<void>;
  /** Takes a portion of the rows of a long result. */
  portion(rows: readonly JsonValue[], progress: string): Promise<void>;
}

/** A verb's result as JSON: the document; one of `rows` may stand in portions given before. */
export type ResultDocument = { readonly [key: string]: JsonValue | undefined };
