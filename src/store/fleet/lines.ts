/** Lines: how each of them is treated. A line itself comes with its first meter and goes with its last. */
import { fail } from '../../core/errors.ts';
import { DEFAULT_LINE_SETTINGS, type LineSettings, validLineSettings } from '../../transport/line-settings.ts';
import { type Database, inTransaction } from '../database.ts';
import { bumpRevision } from './revision.ts';

/** Replaces the settings of the line with this canonical link. Throws NOT_FOUND, INVALID_VALUE. */
export function setLineSettings(database: Database, link: string, settings: LineSettings): void {
  const { sql } = database;
  validLineSettings(settings);
  // What equals a default is left out, so that a better default reaches it.
  const own = Object.entries(settings).filter(([name, value]) => {
    return value !== DEFAULT_LINE_SETTINGS[name as keyof LineSettings];
  });
  inTransaction(database, () => {
    const update = sql.prepare('UPDATE line SET settings = ? WHERE link = ?');
    if (update.run(JSON.stringify(Object.fromEntries(own)), link).changes === 0) {
      fail('NOT_FOUND', `there is no line ${link}`, { hint: 'look with `line list`' });
    }
    // Whoever failed on the old settings is tried anew.
    const resume = 'UPDATE meter SET resumes = resumes + 1 WHERE line_id = (SELECT id FROM line WHERE link = ?)';
    sql.prepare(resume).run(link);
    bumpRevision(sql);
  });
}
