/** The fleet without its secrets: what `status` and `health` speak of. Needs no sealing key. */
import { type Database, inSnapshot } from '../database.ts';
import { revision } from './revision.ts';
import { targetOf } from './targets.ts';
import type { Connection, Line, Meter, Target } from './types.ts';

export interface FleetOutline {
  readonly revision: number;
  readonly targets: readonly Target[];
  readonly connections: readonly Omit<Connection, 'token'>[];
  readonly lines: readonly Pick<Line, 'id' | 'link'>[];
  readonly meters: readonly (Pick<Meter, 'id' | 'lineId' | 'name' | 'enabled' | 'suspended'> & {
    /** The shortest interval of its groups, milliseconds; null for a meter without groups. */
    readonly intervalMs: number | null;
  })[];
}

type Switches<T, Names extends keyof T> = Omit<T, Names> & Record<Names, number>;
type MeterOutline = FleetOutline['meters'][number];

/** Each list in the order of its ids. Throws DATABASE_*. */
export function loadOutline(database: Database): FleetOutline {
  const { sql } = database;
  return inSnapshot(database, () => ({
    revision: revision(database),
    targets: sql
      .prepare<[], Omit<Target, 'settings'> & { readonly settings: string }>(
        'SELECT id, name, url, protocol, mode, ca_file AS caFile, settings FROM target ORDER BY id',
      )
      .all()
      .map(targetOf),
    connections: sql
      .prepare<[], Switches<Omit<Connection, 'token'>, 'retired'>>(
        'SELECT id, target_id AS targetId, meter_id AS meterId, retired FROM connection ORDER BY id',
      )
      .all()
      .map((row) => ({ ...row, retired: row.retired === 1 })),
    lines: sql.prepare<[], Pick<Line, 'id' | 'link'>>('SELECT id, link FROM line ORDER BY id').all(),
    meters: sql
      .prepare<[], Switches<MeterOutline, 'enabled' | 'suspended'>>(
        `SELECT id, line_id AS lineId, name, enabled, suspended,
           (SELECT min(interval_ms) FROM point_group WHERE meter_id = meter.id) AS intervalMs
         FROM meter ORDER BY id`,
      )
      .all()
      .map((row) => ({ ...row, enabled: row.enabled === 1, suspended: row.suspended === 1 })),
  }));
}
