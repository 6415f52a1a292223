/** Lines: how each of them is treated. A line itself comes with its first meter and goes with its last. */
import { isDeepStrictEqual } from 'node:util';
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import {
  changedLineSettings,
  type LineSettings,
  lineSettingsOf,
  validLineSettings,
} from '../../transport/line-settings.ts';
import { type Database, inTransaction } from '../database.ts';
import { bumpRevision } from './revision.ts';

/** Replaces the settings of the line with this canonical link. Throws NOT_FOUND, INVALID_VALUE. */
export function setLineSettings(database: Database, link: string, settings: LineSettings): void {
  inTransaction(database, () => {
    replaceLineSettings(database.sql, link, settings);
    bumpRevision(database.sql);
  });
}

/** The same within the transaction of the caller, who bumps the revision. Tells whether anything changed. */
export function replaceLineSettings(sql: BetterSqlite3.Database, link: string, settings: LineSettings): boolean {
  validLineSettings(settings);
  const known = sql.prepare<[string], { settings: string }>('SELECT settings FROM line WHERE link = ?').get(link);
  if (known === undefined) return fail('NOT_FOUND', `there is no line ${link}`, { hint: 'look with `line list`' });
  if (isDeepStrictEqual(lineSettingsOf(known.settings), settings)) return false;
  sql.prepare('UPDATE line SET settings = ? WHERE link = ?').run(JSON.stringify(changedLineSettings(settings)), link);
  // Whoever failed on the old settings is tried anew.
  const resume = 'UPDATE meter SET resumes = resumes + 1 WHERE line_id = (SELECT id FROM line WHERE link = ?)';
  sql.prepare(resume).run(link);
  return true;
}
