/** The database that a restored one takes the place of, and how the two stand to one another. */
import type BetterSqlite3 from 'better-sqlite3';
import { lastHeardIn, titleIn } from './last-heard.ts';

/** As far as it can be read. */
export interface Predecessor {
  readonly sql: BetterSqlite3.Database;
  /** It has another system title: it is no continuation of what is in the backup. */
  readonly foreign: boolean;
  /** It is known to go on from the backup: of the same installation, and later. */
  readonly continues: boolean;
  readonly lastHeard: number | null;
}

/** `takenAt`: when the backup last heard of anything, milliseconds UTC; null when it does not say. */
export function predecessorOf(
  restored: BetterSqlite3.Database,
  present: BetterSqlite3.Database,
  takenAt: number | null,
): Predecessor {
  const [ours, its] = [titleIn(restored), titleIn(present)];
  const lastHeard = lastHeardIn(present);
  const isLater = lastHeard !== null && takenAt !== null && lastHeard >= takenAt;
  return { sql: present, foreign: its !== null && its !== ours, continues: its === ours && isLater, lastHeard };
}
