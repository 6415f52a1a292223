/** Reading the fleet. */
import { fail } from '../../core/errors.ts';
import { grouped } from '../../core/grouped.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings } from '../../dlms/settings.ts';
import { DEFAULT_POINT_OPTIONS, type PointOptions } from '../../reading/point-options.ts';
import { lineSettingsOf } from '../../transport/line-settings.ts';
import { type Database, inSnapshot } from '../database.ts';
import { mapped } from '../errors.ts';
import { loadBridgeSettings } from './bridge-settings.ts';
import { loadProfiles } from './profiles.ts';
import { revision } from './revision.ts';
import { openSecrets, openToken } from './sealed.ts';
import { targetOf } from './targets.ts';
import type { Connection, Fleet, Line, Meter, Point, PointGroup, Target } from './types.ts';

type Row<T, Columns> = Omit<T, keyof Columns> & Columns;
type ConnectionRow = Row<Connection, { token: Buffer; retired: number }>;
type LineRow = Row<Line, { settings: string }>;
type PointRow = Row<Point, { options: string }>;
type MeterRow = Row<Meter, { enabled: number; suspended: number; settings: string; secrets: Buffer }>;

/** The whole fleet as of one moment, each list in the order of its ids. Throws SEALING_KEY_*, DATABASE_*. */
export function loadFleet(database: Database): Fleet {
  const { sql } = database;
  const sealing = database.sealing();
  const texts = shared((text) => text);
  const settings = shared(settingsOf);
  const lineSettings = shared(lineSettingsOf);
  return inSnapshot(database, () => ({
    revision: revision(database),
    settings: loadBridgeSettings(database),
    targets: sql
      .prepare<[], Omit<Target, 'settings'> & { readonly settings: string }>(
        'SELECT id, name, url, protocol, mode, ca_file AS caFile, settings FROM target ORDER BY id',
      )
      .all()
      .map(targetOf),
    connections: sql
      .prepare<[], ConnectionRow>(
        'SELECT id, target_id AS targetId, meter_id AS meterId, token, retired FROM connection ORDER BY id',
      )
      .all()
      .map((row) => ({ ...row, token: openToken(sealing, row.id, row.token), retired: row.retired === 1 })),
    lines: sql
      .prepare<[], LineRow>('SELECT id, link, settings FROM line ORDER BY id')
      .all()
      .map((row) => ({ ...row, settings: lineSettings(row.settings) })),
    meters: sql
      .prepare<[], MeterRow>(
        `SELECT id, line_id AS lineId, name, enabled, suspended, deleted_from AS deletedFrom, resumes, settings,
           secrets, template
         FROM meter ORDER BY id`,
      )
      .all()
      .map((row) => ({
        ...row,
        enabled: row.enabled === 1,
        suspended: row.suspended === 1,
        settings: settings(row.settings),
        secrets: openSecrets(sealing, row.id, row.secrets),
      })),
    groups: sql
      .prepare<[], PointGroup>(
        'SELECT id, meter_id AS meterId, name, interval_ms AS intervalMs FROM point_group ORDER BY id',
      )
      .all(),
    points: sql
      .prepare<[], PointRow>(
        'SELECT id, group_id AS groupId, class_id AS classId, obis, attribute, key, options FROM point ORDER BY id',
      )
      .all()
      .map((row) => ({ ...row, obis: texts(row.obis), key: texts(row.key), options: pointOptionsOf(row.options) })),
    profiles: loadProfiles(sql),
  }));
}

/** The links of all lines; needs no sealing key. */
export function loadLinks({ sql, path }: Database): readonly string[] {
  const rows = mapped(path, () => sql.prepare<[], { link: string }>('SELECT link FROM line ORDER BY id').all());
  return rows.map(({ link }) => link);
}

/** Throws NOT_FOUND when no meter has this name. */
export function requireMeter({ sql, path }: Database, name: string): void {
  const found = mapped(path, () => sql.prepare('SELECT 1 FROM meter WHERE name = ?').get(name));
  if (found === undefined) fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
}

/** What was learned of a meter, by kind; each a JSON text. Empty for a meter that is not known. */
export function loadLearned({ sql, path }: Database, meterId: number): Map<string, string> {
  const select = (): { kind: string; json: string }[] =>
    sql
      .prepare<[number], { kind: string; json: string }>('SELECT kind, json FROM learned WHERE meter_id = ?')
      .all(meterId);
  return new Map(mapped(path, select).map(({ kind, json }) => [kind, json]));
}

/**
 * Who wants the readings of a meter: every gateway, and the meter's own connection. Retired connections want nothing.
 */
export function connectionsOfMeter({ targets, connections }: Fleet, meterId: number): readonly Connection[] {
  const gateways = new Set(targets.filter(({ mode }) => mode === 'gateway').map(({ id }) => id));
  return connections.filter(
    (connection) =>
      !connection.retired &&
      (connection.meterId === meterId || (connection.meterId === null && gateways.has(connection.targetId))),
  );
}

/** The same for many meters: ids of connections, by the id of a meter. */
export function connectionsOfMeters({ targets, connections }: Fleet): (meterId: number) => readonly number[] {
  const gateways = new Set(targets.filter(({ mode }) => mode === 'gateway').map(({ id }) => id));
  const active = connections.filter(({ retired }) => !retired);
  const ofAll = active
    .filter(({ meterId, targetId }) => meterId === null && gateways.has(targetId))
    .map(({ id }) => id);
  const own = grouped(
    active.filter(({ meterId }) => meterId !== null),
    ({ meterId }) => meterId ?? 0,
  );
  return (meterId) => [...ofAll, ...(own.get(meterId) ?? []).map(({ id }) => id)];
}

/** The connections whose token is of the bridge itself: a gateway's, or in device mode that of its own device. */
export function connectionsOfBridge({ connections }: Fleet): readonly Connection[] {
  return connections.filter(({ meterId, retired }) => meterId === null && !retired);
}

/** The targets that were not removed: one that was stays until its last row is delivered. */
export function wantedTargets(fleet: Fleet): readonly Target[] {
  const ids = new Set(connectionsOfBridge(fleet).map(({ targetId }) => targetId));
  return fleet.targets.filter(({ id }) => ids.has(id));
}

/** One kind of fact of all meters of which it is known, by the id of the meter. */
export function learnedOfAll({ sql, path }: Database, kind: string): Map<number, string> {
  const select = (): { id: number; json: string }[] =>
    sql
      .prepare<[string], { id: number; json: string }>('SELECT meter_id AS id, json FROM learned WHERE kind = ?')
      .all(kind);
  return new Map(mapped(path, select).map(({ id, json }) => [id, json]));
}

/** What is the same in ten thousand meters (keys, OBIS codes, settings) is one value in memory. */
function shared<T>(made: (text: string) => T): (text: string) => T {
  const values = new Map<string, T>();
  return (text) => {
    const known = values.get(text);
    if (known !== undefined) return known;
    const value = made(text);
    values.set(text, value);
    return value;
  };
}

/** Options that came after the point was stored have their defaults. */
function pointOptionsOf(json: string): PointOptions {
  // Most points have none, and a fleet has tens of thousands: they share one value.
  if (json === '{}') return DEFAULT_POINT_OPTIONS;
  return { ...DEFAULT_POINT_OPTIONS, ...(JSON.parse(json) as Partial<PointOptions>) };
}

/** Settings that came after the meter was stored have their defaults. */
function settingsOf(json: string): MeterSettings {
  return { ...DEFAULT_METER_SETTINGS, ...(JSON.parse(json) as Partial<MeterSettings>) };
}
