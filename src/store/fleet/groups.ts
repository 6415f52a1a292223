/** Point groups of a meter and their points, as rows. */
import type BetterSqlite3 from 'better-sqlite3';
import { changedOptions, DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import type { NewPoint, NewPointGroup } from './types.ts';

interface GroupRow {
  readonly id: number;
  readonly name: string;
  readonly intervalMs: number;
}

type PointRow = Omit<NewPoint, 'options'> & { readonly groupId: number; readonly options: string };

/**
 * Makes a meter's groups and points those that are wanted; a group keeps its id with its name. Tells whether anything
 * changed; the order alone is no change.
 */
export function storeGroups(sql: BetterSqlite3.Database, meterId: number, wanted: readonly NewPointGroup[]): boolean {
  const stored = sql
    .prepare<[number], GroupRow>('SELECT id, name, interval_ms AS intervalMs FROM point_group WHERE meter_id = ?')
    .all(meterId);
  const points = sql
    .prepare<[number], PointRow>(
      'SELECT group_id AS groupId, class_id AS classId, obis, attribute, key, options FROM point WHERE meter_id = ?',
    )
    .all(meterId);
  const before = stored.map(({ id, name, intervalMs }) =>
    groupText({ name, intervalMs }, points.filter(({ groupId }) => groupId === id).map(pointText)),
  );
  const after = wanted.map((group) =>
    groupText(
      group,
      group.points.map((point) => pointText(rowOf(point))),
    ),
  );
  if (before.sort().join() === after.sort().join()) return false;
  sql.prepare('DELETE FROM point WHERE meter_id = ?').run(meterId);
  const names = new Set(wanted.map(({ name }) => name));
  const removeGroup = sql.prepare('DELETE FROM point_group WHERE id = ?');
  for (const { id, name } of stored) if (!names.has(name)) removeGroup.run(id);
  const ids = new Map(stored.map(({ id, name }) => [name, id]));
  for (const group of wanted) insertPoints(sql, meterId, groupId(sql, meterId, group, ids.get(group.name)), group);
  return true;
}

function groupId(
  sql: BetterSqlite3.Database,
  meterId: number,
  { name, intervalMs }: NewPointGroup,
  known: number | undefined,
): number {
  if (known === undefined) {
    const insert = sql.prepare('INSERT INTO point_group (meter_id, name, interval_ms) VALUES (?, ?, ?)');
    return Number(insert.run(meterId, name, intervalMs).lastInsertRowid);
  }
  sql.prepare('UPDATE point_group SET interval_ms = ? WHERE id = ?').run(intervalMs, known);
  return known;
}

function insertPoints(sql: BetterSqlite3.Database, meterId: number, groupId: number, group: NewPointGroup): void {
  const insert = sql.prepare(
    'INSERT INTO point (group_id, meter_id, class_id, obis, attribute, key, options) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  for (const { classId, obis, attribute, key, options } of group.points.map(rowOf)) {
    insert.run(groupId, meterId, classId, obis, attribute, key, options);
  }
}

function rowOf({ options = DEFAULT_POINT_OPTIONS, ...point }: NewPoint): Omit<PointRow, 'groupId'> {
  return { ...point, options: JSON.stringify(changedOptions(options)) };
}

function pointText({ classId, obis, attribute, key, options }: Omit<PointRow, 'groupId'>): string {
  const named = Object.entries(JSON.parse(options) as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([key, classId, obis, attribute, named]);
}

function groupText({ name, intervalMs }: Pick<NewPointGroup, 'name' | 'intervalMs'>, points: string[]): string {
  return JSON.stringify([name, intervalMs, points.sort()]);
}
