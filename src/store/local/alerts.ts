/** Alerts as they are kept: one row for each time that one was raised. They survive restarts, and are read by anybody. */
import type BetterSqlite3 from 'better-sqlite3';
import { type AlertCode, isAlertCode } from '../../alert/rules.ts';
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { mapped } from '../errors.ts';

export interface StoredRival {
  readonly pid: number | null;
  readonly uid: number;
  readonly command: string | null;
  readonly unit: string | null;
}

export interface StoredAlert {
  readonly id: number;
  readonly code: AlertCode;
  /** What it is about: a meter, a line or a target by name, `daemon` for all of it. */
  readonly subject: string;
  /** Milliseconds UTC. */
  readonly since: number;
  /** null while it is active. */
  readonly cleared: number | null;
  /** When somebody took note of it; null before. */
  readonly acknowledged: number | null;
  readonly detail: string;
  readonly rival: StoredRival | null;
}

/** Raises: a row is made. Clears, or tells more: the active row of code and subject is changed, if there is one. */
export type AlertChange =
  | {
      readonly kind: 'raise';
      readonly code: AlertCode;
      readonly subject: string;
      readonly at: number;
      readonly detail: string;
    }
  | { readonly kind: 'clear'; readonly code: AlertCode; readonly subject: string; readonly at: number }
  | { readonly kind: 'rival'; readonly code: AlertCode; readonly subject: string; readonly rival: StoredRival };

/** Cleared alerts that are kept. */
const KEPT = 1000;

interface Row extends Omit<StoredAlert, 'code' | 'rival'> {
  readonly code: string;
  readonly rival: string | null;
}

/** All alerts that are kept, the newest first; those of a newer program that this one does not know are left out. */
export function loadAlerts({ sql, path }: Database): readonly StoredAlert[] {
  const rows = mapped(path, () =>
    sql
      .prepare<[], Row>(
        'SELECT id, code, subject, since, cleared, acknowledged, detail, rival FROM alert ORDER BY id DESC',
      )
      .all(),
  );
  return rows.flatMap((row) =>
    isAlertCode(row.code)
      ? [{ ...row, code: row.code, rival: row.rival === null ? null : (JSON.parse(row.rival) as StoredRival) }]
      : [],
  );
}

/** Takes note of active alerts of a code, of one subject or of all. Throws NOT_FOUND when there is none. */
export function acknowledgeAlerts(database: Database, code: AlertCode, subject: string | null, at: number): number {
  return inTransaction(database, () => {
    const { changes } = database.sql
      .prepare('UPDATE alert SET acknowledged = ? WHERE code = ? AND cleared IS NULL AND (? IS NULL OR subject = ?)')
      .run(at, code, subject, subject);
    if (changes === 0) fail('NOT_FOUND', `no alert ${code}${subject === null ? '' : ` of "${subject}"`} is active`);
    return changes;
  });
}

/** Whether an alert of this code is active of which nobody has taken note. */
export function awaitsNote({ sql, path }: Database, code: AlertCode): boolean {
  const select = 'SELECT 1 FROM alert WHERE code = ? AND cleared IS NULL AND acknowledged IS NULL';
  return mapped(path, () => sql.prepare(select).get(code)) !== undefined;
}

/** For the writer, which holds the transaction. */
export function createAlertJournal(sql: BetterSqlite3.Database): (change: AlertChange) => void {
  const raise = sql.prepare(
    'INSERT INTO alert (code, subject, since, detail) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const clear = sql.prepare('UPDATE alert SET cleared = ? WHERE code = ? AND subject = ? AND cleared IS NULL');
  const rival = sql.prepare('UPDATE alert SET rival = ? WHERE code = ? AND subject = ? AND cleared IS NULL');
  const prune = sql.prepare(
    'DELETE FROM alert WHERE cleared IS NOT NULL AND id <= (SELECT id FROM alert ORDER BY id DESC LIMIT 1 OFFSET ?)',
  );
  return (change) => {
    const { code, subject } = change;
    if (change.kind === 'raise') {
      raise.run(code, subject, change.at, change.detail);
      prune.run(KEPT);
    } else if (change.kind === 'clear') clear.run(change.at, code, subject);
    else rival.run(JSON.stringify(change.rival), code, subject);
  };
}
