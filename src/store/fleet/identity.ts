/**
 * Which meter stands behind a name: what it called itself at first contact, and who answers there instead. Kept among
 * what was learned of the meter, so that it is committed with the cycle that found it out.
 */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../../core/errors.ts';
import { type Database, inTransaction } from '../database.ts';
import { SET_ASIDE } from '../local/doubts.ts';
import { countDropped } from '../local/dropped.ts';
import type { LearnedFact } from '../local/types.ts';
import { bumpRevision } from './revision.ts';

export interface MeterIdentity {
  /** COSEM logical device name, 0.0.42.0.0.255; null where it is not shown. */
  readonly logicalDeviceName: string | null;
  /** Device ID 1, 0.0.96.1.0.255. */
  readonly serialNumber: string | null;
}

export interface KnownIdentity {
  /** null before the first contact. */
  readonly pinned: MeterIdentity | null;
  /** Who answers in its place; null while nobody does. */
  readonly stranger: MeterIdentity | null;
}

const PINNED = 'identity';
const STRANGER = 'stranger';
/** What the reason of rows begins with that a stranger said. */
export const STRANGER_REASON = 'identity: ';

export function knownIdentity(learned: ReadonlyMap<string, string>): KnownIdentity {
  return { pinned: identityIn(learned.get(PINNED)), stranger: identityIn(learned.get(STRANGER)) };
}

function identityIn(json: string | undefined): MeterIdentity | null {
  return json === undefined ? null : (JSON.parse(json) as MeterIdentity | null);
}

export function pinnedFact(identity: MeterIdentity): LearnedFact {
  return { kind: PINNED, json: textOf(identity) };
}

export function strangerFact(stranger: MeterIdentity | null): LearnedFact {
  return { kind: STRANGER, json: stranger === null ? 'null' : textOf(stranger) };
}

function textOf({ logicalDeviceName, serialNumber }: MeterIdentity): string {
  return JSON.stringify({ logicalDeviceName, serialNumber });
}

/** Why a stranger's rows are set aside. */
export function strangerReason({ logicalDeviceName, serialNumber }: MeterIdentity): string {
  const names = [logicalDeviceName, serialNumber].filter((name) => name !== null);
  return `${STRANGER_REASON}said by another meter, ${names.join(', ')}`;
}

export interface StrangerOutcome {
  readonly identity: MeterIdentity;
  /** Rows that are delivered now, and those that were deleted. */
  readonly released: number;
  readonly dropped: number;
}

/**
 * From now on the stranger is the meter. What it said meanwhile is delivered, or dropped. Throws NOT_FOUND when there is
 * no such meter, or nobody strange answers there.
 */
export function acceptStranger(database: Database, name: string, drop: boolean): StrangerOutcome {
  const { sql } = database;
  return inTransaction(database, () => {
    const { id, known } = meterNamed(sql, name);
    const identity =
      known.stranger ?? fail('NOT_FOUND', `no stranger answers for "${name}"`, { hint: 'look with `status`' });
    learn(sql, id, pinnedFact(identity));
    learn(sql, id, strangerFact(null));
    const dropped = drop ? dropRows(sql, name) : 0;
    const released = drop ? 0 : releaseRows(sql, name);
    tryAnew(sql, id);
    return { identity, released, dropped };
  });
}

/** Deletes what strangers said in the name of the meter; who is pinned stays. Throws NOT_FOUND. */
export function rejectStranger(database: Database, name: string): StrangerOutcome {
  const { sql } = database;
  return inTransaction(database, () => {
    const { id, known } = meterNamed(sql, name);
    const identity = known.pinned ?? fail('NOT_FOUND', `"${name}" has not told yet who it is`);
    const dropped = dropRows(sql, name);
    tryAnew(sql, id);
    return { identity, released: 0, dropped };
  });
}

function meterNamed(sql: BetterSqlite3.Database, name: string): { readonly id: number; readonly known: KnownIdentity } {
  const row = sql.prepare<[string], { id: number }>('SELECT id FROM meter WHERE name = ?').get(name);
  if (row === undefined) return fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
  const facts = sql
    .prepare<[number], { kind: string; json: string }>('SELECT kind, json FROM learned WHERE meter_id = ?')
    .all(row.id);
  return { id: row.id, known: knownIdentity(new Map(facts.map(({ kind, json }) => [kind, json]))) };
}

function learn(sql: BetterSqlite3.Database, meterId: number, { kind, json }: LearnedFact): void {
  sql
    .prepare(
      `INSERT INTO learned (meter_id, kind, json) VALUES (?, ?, ?)
       ON CONFLICT (meter_id, kind) DO UPDATE SET json = excluded.json`,
    )
    .run(meterId, kind, json);
}

const WITHHELD = `${SET_ASIDE} AND device = ? AND reason LIKE '${STRANGER_REASON}%'`;

function releaseRows(sql: BetterSqlite3.Database, name: string): number {
  return sql.prepare(`UPDATE outbox SET quarantined = 0, reason = NULL WHERE ${WITHHELD}`).run(name).changes;
}

function dropRows(sql: BetterSqlite3.Database, name: string): number {
  const dropped = sql.prepare(`DELETE FROM outbox WHERE ${WITHHELD}`).run(name).changes;
  countDropped(sql, dropped);
  return dropped;
}

/** The daemon takes the identity up with the generation of the meter. */
function tryAnew(sql: BetterSqlite3.Database, id: number): void {
  sql.prepare('UPDATE meter SET resumes = resumes + 1 WHERE id = ?').run(id);
  bumpRevision(sql);
}
