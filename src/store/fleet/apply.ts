/** A whole change of the fleet in one transaction: all of it or nothing. */
import { isDeepStrictEqual } from 'node:util';
import { asBridgeError, type BridgeError, fail } from '../../core/errors.ts';
import { DEFAULT_LINE_SETTINGS, type LineSettings } from '../../transport/line-settings.ts';
import { type Database, inTransaction, inTrial } from '../database.ts';
import { replaceBridgeSettings } from './bridge-settings.ts';
import { changeToken, IS_WANTED } from './connections.ts';
import { replaceLineSettings } from './lines.ts';
import { deleteMeter, insertMeter, replaceMeter } from './meters.ts';
import { bumpRevision } from './revision.ts';
import { openToken } from './sealed.ts';
import { insertTarget, setTargetSettings } from './targets.ts';
import type { NewMeter, NewTarget } from './types.ts';

/** Without a token the stored one stays, and so do settings. */
export type WantedTarget = Omit<NewTarget, 'token'> & Partial<Pick<NewTarget, 'token'>>;
export type WantedMeter = NewMeter;

export interface FleetChange {
  /** Of the bridge: those that are named, of any origin. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly targets: readonly WantedTarget[];
  readonly lines: readonly { readonly link: string; readonly settings: LineSettings }[];
  readonly meters: readonly WantedMeter[];
  /** Makes of the refusal of one entry the error that is thrown. */
  refused(path: readonly (string | number)[], error: BridgeError): BridgeError;
}

export interface ApplyOptions {
  /** Meters that are not among those wanted go, and lines that are not have their defaults. Targets stay. */
  readonly replace: boolean;
  /** Everything is done and taken back. */
  readonly dryRun: boolean;
}

export interface FleetOutcome {
  /** Names. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: number;
  /** Names of targets that were added or changed. */
  readonly targets: readonly string[];
  /** Links of lines whose settings changed. */
  readonly lines: readonly string[];
  /** Names of settings of the bridge that changed. */
  readonly settings: readonly string[];
}

/** Throws what `refused` makes of a refusal, DATABASE_*, SEALING_KEY_*; then nothing was changed. */
export function applyFleet(database: Database, change: FleetChange, options: ApplyOptions): FleetOutcome {
  const run = options.dryRun ? inTrial<FleetOutcome> : inTransaction<FleetOutcome>;
  return run(database, () => {
    const outcome = applied(database, change, options.replace);
    const { unchanged, ...lists } = outcome;
    if (Object.values(lists).some(({ length }) => length > 0)) bumpRevision(database.sql);
    return outcome;
  });
}

function applied(database: Database, change: FleetChange, replace: boolean): FleetOutcome {
  const { sql } = database;
  const attempt = <T>(path: readonly (string | number)[], action: () => T): T => {
    try {
      return action();
    } catch (thrown) {
      throw change.refused(path, asBridgeError(thrown));
    }
  };
  const each = <T>(list: 'targets' | 'lines' | 'meters', entries: readonly T[], action: (entry: T) => void): void => {
    for (const [index, entry] of entries.entries()) attempt([list, index], () => action(entry));
  };
  const settings = attempt(['settings'], () => replaceBridgeSettings(database, change.settings));
  const targets: string[] = [];
  const removedTarget = sql.prepare(`SELECT 1 FROM target WHERE name = ? AND NOT ${IS_WANTED}`);
  each('targets', change.targets, (target) => {
    if (removedTarget.get(target.name) !== undefined) {
      fail('INVALID_VALUE', `the target "${target.name}" was removed and still gets what waits for it`);
    }
    if (storeTarget(database, target)) targets.push(target.name);
  });
  const names = new Set(
    sql
      .prepare<[], { name: string }>('SELECT name FROM meter')
      .all()
      .map(({ name }) => name),
  );
  const wanted = new Set(change.meters.map(({ name }) => name));
  // First, so that their tokens are free for others.
  const removed = replace ? [...names].filter((name) => !wanted.has(name)) : [];
  for (const name of removed) deleteMeter(sql, name);
  const added: string[] = [];
  const changed: string[] = [];
  each('meters', change.meters, (meter) => {
    if (!names.has(meter.name)) {
      insertMeter(database, meter);
      added.push(meter.name);
    } else if (replaceMeter(database, meter)) changed.push(meter.name);
  });
  const lines: string[] = [];
  each('lines', change.lines, ({ link, settings }) => {
    if (replaceLineSettings(sql, link, settings)) lines.push(link);
  });
  if (replace) {
    const named = new Set(change.lines.map(({ link }) => link));
    for (const { link } of sql.prepare<[], { link: string }>('SELECT link FROM line').all()) {
      if (!named.has(link) && replaceLineSettings(sql, link, DEFAULT_LINE_SETTINGS)) lines.push(link);
    }
  }
  const unchanged = change.meters.length - added.length - changed.length;
  return { added, changed, removed, unchanged, targets, lines, settings };
}

/** Adds or changes a target by its name. Tells whether anything changed. Throws INVALID_VALUE, DUPLICATE_TOKEN. */
function storeTarget(database: Database, { token, settings, ...target }: WantedTarget): boolean {
  const { sql } = database;
  const known = sql
    .prepare<[string], WantedTarget & { readonly id: number }>(
      'SELECT id, name, url, protocol, mode, ca_file AS caFile FROM target WHERE name = ?',
    )
    .get(target.name);
  if (known === undefined) {
    if (token === undefined) fail('INVALID_VALUE', `the target "${target.name}" is new: it needs a token`);
    insertTarget(database, { ...target, token, ...(settings === undefined ? {} : { settings }) });
    return true;
  }
  const { id, ...stored } = known;
  const differs = !isDeepStrictEqual({ ...stored }, { ...target });
  if (stored.mode !== target.mode) fail('INVALID_VALUE', `the mode of the target "${target.name}" cannot be changed`);
  if (differs) {
    const update = sql.prepare('UPDATE target SET url = ?, protocol = ?, ca_file = ? WHERE id = ?');
    update.run(target.url, target.protocol, target.caFile, id);
  }
  const connections = sql
    .prepare<[number], { id: number; meterId: number | null; sealed: Buffer }>(
      'SELECT id, meter_id AS meterId, token AS sealed FROM connection WHERE target_id = ?',
    )
    .all(id);
  let changed = differs;
  if (settings !== undefined && setTargetSettings(database, target.name, settings)) changed = true;
  for (const { id: connectionId, meterId, sealed } of connections) {
    const own = meterId === null && token !== undefined ? token : openToken(database.sealing(), connectionId, sealed);
    // A token's fingerprint is of token and URL.
    if (changeToken(database, connectionId, target.url, own)) changed = true;
  }
  return changed;
}

/** Changes a stored target; tells whether anything is another now. Throws NOT_FOUND, INVALID_VALUE, DUPLICATE_TOKEN. */
export function editTarget(
  database: Database,
  name: string,
  change: Partial<Omit<NewTarget, 'name' | 'mode'>>,
): boolean {
  return inTransaction(database, () => {
    const select = 'SELECT name, url, protocol, mode, ca_file AS caFile FROM target WHERE name = ?';
    const known = database.sql.prepare<[string], WantedTarget>(select).get(name);
    if (known === undefined) {
      return fail('NOT_FOUND', `there is no target "${name}"`, { hint: 'look with `target list`' });
    }
    const changed = storeTarget(database, { ...known, ...change });
    if (changed) bumpRevision(database.sql);
    return changed;
  });
}
