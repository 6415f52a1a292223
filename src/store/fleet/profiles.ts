/** Load profiles and event logs of meters, as rows. */
import type BetterSqlite3 from 'better-sqlite3';
import { changedOptions, DEFAULT_POINT_OPTIONS, type PointOptions } from '../../reading/point-options.ts';
import type { KeyedPoint } from '../../reading/point-text.ts';
import type { NewProfile, Profile } from './types.ts';

interface ProfileRow {
  readonly id: number;
  readonly meterId: number;
  readonly obis: string;
  readonly kind: Profile['kind'];
  readonly intervalMs: number;
  readonly plan: string;
}

/** As JSON in the column `plan`; options that are as usual are left out. */
interface Plan {
  readonly columns: readonly (Omit<KeyedPoint, 'options'> & { readonly options: Partial<PointOptions> })[];
  readonly eventNames: Readonly<Record<string, string>>;
  readonly prefix?: string;
  readonly backfillFrom?: number | 'all';
}

export function loadProfiles(sql: BetterSqlite3.Database): Profile[] {
  const select = 'SELECT id, meter_id AS meterId, obis, kind, interval_ms AS intervalMs, plan FROM profile ORDER BY id';
  return sql
    .prepare<[], ProfileRow>(select)
    .all()
    .map(({ plan, ...row }) => ({ ...row, ...planOf(plan) }));
}

/** Makes a meter's profiles those that are wanted; one that stays keeps its id. Tells whether anything changed. */
export function storeProfiles(sql: BetterSqlite3.Database, meterId: number, wanted: readonly NewProfile[]): boolean {
  const stored = new Map(
    sql
      .prepare<[number], ProfileRow>(
        'SELECT id, meter_id AS meterId, obis, kind, interval_ms AS intervalMs, plan FROM profile WHERE meter_id = ?',
      )
      .all(meterId)
      .map((row) => [row.obis, row]),
  );
  const insert = sql.prepare('INSERT INTO profile (meter_id, obis, kind, interval_ms, plan) VALUES (?, ?, ?, ?, ?)');
  const update = sql.prepare('UPDATE profile SET kind = ?, interval_ms = ?, plan = ? WHERE id = ?');
  let changed = false;
  for (const { obis, kind, intervalMs, ...plan } of wanted) {
    const row = stored.get(obis);
    stored.delete(obis);
    const text = planText(plan);
    if (row === undefined) insert.run(meterId, obis, kind, intervalMs, text);
    else if (row.kind !== kind || row.intervalMs !== intervalMs || row.plan !== text) {
      update.run(kind, intervalMs, text, row.id);
    } else continue;
    changed = true;
  }
  const remove = sql.prepare('DELETE FROM profile WHERE id = ?');
  for (const { id } of stored.values()) remove.run(id);
  return changed || stored.size > 0;
}

function planText({
  columns,
  eventNames,
  prefix,
  backfillFrom,
}: Omit<NewProfile, 'obis' | 'kind' | 'intervalMs'>): string {
  const plan: Plan = {
    columns: columns.map(({ classId, obis, attribute, key, options }) => ({
      classId,
      obis,
      attribute,
      key,
      options: changedOptions(options),
    })),
    eventNames,
    ...(prefix === undefined ? {} : { prefix }),
    ...(backfillFrom === undefined ? {} : { backfillFrom }),
  };
  return JSON.stringify(plan);
}

function planOf(text: string): Omit<NewProfile, 'obis' | 'kind' | 'intervalMs'> {
  const { columns, ...rest } = JSON.parse(text) as Plan;
  return {
    columns: columns.map((column) => ({ ...column, options: { ...DEFAULT_POINT_OPTIONS, ...column.options } })),
    ...rest,
  };
}
