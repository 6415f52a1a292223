/**
 * Invocation counters of a restored database. It does not know which were used after the backup was made, and one that is
 * used twice with its key breaks GCM.
 *
 * Where the database that is replaced is whole and goes on from the backup, it knows. Otherwise a counter goes on from the
 * backup along a line that no use can reach: a lead, and for each second twice what a meter can use. Twice, because the
 * line is also that of later restores of the same backup: what was used after this one, which began on the line, has to be
 * below it by then. For the same reason nothing is added to what is known but what the line rises meanwhile. A restore of
 * another backup, whose line may be lower, goes by what the last restore recorded.
 */
import type BetterSqlite3 from 'better-sqlite3';
import type { Database } from '../database.ts';
import { loadFleet } from '../fleet/load.ts';
import { clientSystemTitleFor } from '../fleet/system-title.ts';
import { COUNTERS, counterKeyId } from '../local/counters.ts';
import type { CounterRecord } from './counter-record.ts';
import type { Predecessor } from './predecessor.ts';
import { allOrNull } from './salvage.ts';

/** Requests in a second, which no meter and no daemon keeps up: a processor is busy with some hundreds. */
const MOST_OF_A_METER = 64;
const MOST_OF_A_DAEMON = 5000;
/** What a burst may exceed that by, and what the portions of each meter that were never used up skip. */
const LEAD = 1_000_000;
const LEAD_OF_A_METER = 1000;
/** Taken as the time that passed where that cannot be told: no time in the backup, or a clock that is behind it. */
const UNKNOWN_SPAN_MS = 90 * 86_400_000;

export interface CarriedCounters {
  /** Whether the database that is replaced knew all counters that were used. */
  readonly known: boolean;
  /** By how much those of a key that one meter has were moved on: from what was known, or else from the backup. */
  readonly margin: number;
}

interface CounterRow {
  readonly keyId: Buffer;
  readonly next: number;
}

/** One that tells where counters are at least. */
interface Source {
  /** By the name of the key in hex. */
  readonly counters: ReadonlyMap<string, number>;
  /** To be added for a key that so many meters have. */
  margin(meters: number): number;
  /** Where keys are that are not among `counters`. */
  readonly floor: number;
}

export interface CounterSources {
  readonly predecessor: Predecessor | null;
  readonly record: CounterRecord | null;
  /** Of the backup, milliseconds UTC; null where it does not say. */
  readonly takenAt: number | null;
  readonly now: number;
}

/** Within a transaction. */
export function carryCounters(restored: Database, sources: CounterSources): CarriedCounters {
  const { predecessor, record, takenAt, now } = sources;
  const backup = countersIn(restored.sql);
  const used = predecessor === null ? null : countersIn(predecessor.sql);
  const lastHeard = predecessor?.lastHeard ?? Number.NEGATIVE_INFINITY;
  const known =
    used !== null && predecessor?.continues === true && lastHeard >= (record?.at ?? 0) && isWhole(predecessor.sql);
  const margin = known ? rise(now - lastHeard) : withLead(rise(spanSince(takenAt, now)));
  const told: readonly (Source | null)[] = known
    ? [backup, { ...used, margin }]
    : [backup && { ...backup, margin, floor: backup.floor + margin(1) }, used, record && recorded(record, now)];
  put(
    restored,
    told.filter((source) => source !== null),
  );
  return { known, margin: margin(1) };
}

/** null where not all of them can be read. */
function countersIn(sql: BetterSqlite3.Database): Source | null {
  const rows = allOrNull<CounterRow>(sql, 'SELECT key_id AS keyId, next FROM invocation_counter');
  if (rows === null) return null;
  // Older databases have none.
  const floor = allOrNull<{ floor: number }>(sql, 'SELECT counter_floor AS floor FROM installation')?.[0]?.floor ?? 0;
  return { counters: new Map(rows.map(({ keyId, next }) => [keyId.toString('hex'), next])), margin: () => 0, floor };
}

function recorded({ counters, floor, at }: CounterRecord, now: number): Source {
  const margin = rise(now - at);
  return { counters: new Map(Object.entries(counters)), margin, floor: floor + margin(1) };
}

function put(restored: Database, sources: readonly Source[]): void {
  const { sql } = restored;
  const meters = metersOfKeys(restored);
  const upsert = sql.prepare(
    'INSERT INTO invocation_counter (key_id, next) VALUES (?, ?) ON CONFLICT (key_id) DO UPDATE SET next = excluded.next',
  );
  const highest = (told: readonly number[]): number => Math.min(COUNTERS, Math.max(...told));
  for (const name of new Set(sources.flatMap(({ counters }) => [...counters.keys()]))) {
    const told = sources.map(({ counters, margin, floor }) => {
      const next = counters.get(name);
      return next === undefined ? floor : next + margin(Math.max(1, meters.get(name) ?? 0));
    });
    upsert.run(Buffer.from(name, 'hex'), highest(told));
  }
  const floor = highest(sources.map((source) => source.floor));
  sql.prepare('UPDATE installation SET counter_floor = ?').run(floor);
}

function spanSince(takenAt: number | null, now: number): number {
  return takenAt === null || takenAt > now ? UNKNOWN_SPAN_MS : now - takenAt;
}

/** By how much the line of a key rises in this time, whatever number of meters has it. */
function rise(ms: number): (meters: number) => number {
  const seconds = Math.max(0, ms) / 1000;
  return (meters) => Math.ceil(2 * seconds * Math.min(meters * MOST_OF_A_METER, MOST_OF_A_DAEMON));
}

function withLead(line: (meters: number) => number): (meters: number) => number {
  return (meters) => LEAD + meters * LEAD_OF_A_METER + line(meters);
}

/** Of a damaged file a page may be an old one, and look right. */
function isWhole(sql: BetterSqlite3.Database): boolean {
  return allOrNull<{ quick_check: string }>(sql, 'PRAGMA quick_check(1)')?.[0]?.quick_check === 'ok';
}

/** How many meters share a key and so its counters, by the key's name in hex. */
function metersOfKeys(restored: Database): ReadonlyMap<string, number> {
  const meters = new Map<string, number>();
  for (const { settings, secrets } of loadFleet(restored).meters) {
    if (secrets.blockCipherKey === null) continue;
    const title = clientSystemTitleFor(restored, settings);
    const name = Buffer.from(counterKeyId(restored, secrets.blockCipherKey, title)).toString('hex');
    meters.set(name, (meters.get(name) ?? 0) + 1);
  }
  return meters;
}
