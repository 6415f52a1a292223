/** The same verbs without a daemon: on a line that was opened for them alone. */
import type { JsonValue } from '../core/json.ts';
import type { Knowledge, LearnedFact } from '../meter/knowledge.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import { perform } from './perform.ts';
import type { MeterRequest } from './requests.ts';
import type { ResultDocument } from './work.ts';

export interface Alone {
  readonly clock: Clock;
  readonly knowledge: Knowledge;
  /** One job on the line. */
  submit<T>(run: (session: MeterSession) => Promise<T>): Promise<T>;
  /** What was learned of a stored meter. */
  keep(learned: readonly LearnedFact[]): Promise<void>;
  onProgress(text: string): void;
}

/** Throws what the verb throws. */
export async function performAlone(
  { clock, knowledge, submit, keep, onProgress }: Alone,
  request: MeterRequest,
): Promise<ResultDocument> {
  const portions: (readonly JsonValue[])[] = [];
  const document = await perform(
    {
      clock,
      knowledge,
      job: submit,
      // The association was made for this verb: nothing is repeated on it.
      beginActing: () => Promise.resolve(),
      keep,
      async portion(rows, progress) {
        portions.push(rows);
        onProgress(progress);
      },
    },
    request,
  );
  return portions.length === 0 ? document : { ...document, rows: portions.flat() };
}
