/** What was learned of a meter, written without a daemon: by verbs that talk to it themselves. */
import { type Database, inTransaction } from '../database.ts';
import type { LearnedFact } from '../local/types.ts';

/** Last invocation counters received in pushes, and which pushes were stored lately. */
export const PUSH_COUNTERS = 'push-counters';
export const PUSH_SEEN = 'push-seen';

/** Keeps facts of the meter of that name; one that is gone leaves nobody to have learned something. */
export function saveLearned(database: Database, meter: string, facts: readonly LearnedFact[]): void {
  inTransaction(database, () => {
    const learn = database.sql.prepare(
      `INSERT INTO learned (meter_id, kind, json) SELECT id, ?, ? FROM meter WHERE name = ?
       ON CONFLICT (meter_id, kind) DO UPDATE SET json = excluded.json`,
    );
    for (const { kind, json } of facts) learn.run(kind, json, meter);
  });
}
