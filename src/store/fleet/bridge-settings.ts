/** Settings of the bridge as a whole: declared here, one row each in the database where they are not the usual ones. */
import { ALERT_SETTINGS } from '../../alert/limits.ts';
import { fail } from '../../core/errors.ts';
import {
  checkSettings,
  choice,
  defaultsOf,
  isSecret,
  orNone,
  type Setting,
  type SettingsOf,
  settingNamed,
  text,
  whole,
} from '../../core/setting.ts';
import { LOG_LEVELS, LOG_ROOMS } from '../../runtime/log-levels.ts';
import { type Database, inTransaction } from '../database.ts';
import { mapped } from '../errors.ts';
import { bumpRevision } from './revision.ts';

const ROOM_LEVEL = `(?:${LOG_ROOMS.join('|')})=(?:${LOG_LEVELS.join('|')})`;

function connects(usual: number, about: string): Setting<number> {
  return whole(usual, { least: 1, most: 100_000, applies: 'restart', about });
}

export const BRIDGE_SETTINGS = {
  logLevel: orNone(
    'as-started',
    choice(LOG_LEVELS, 'info', { applies: 'live', about: 'what is logged; as-started: as flag and file of `run` say' }),
  ),
  logRooms: orNone(
    'as-started',
    text('', {
      pattern: new RegExp(`^${ROOM_LEVEL}(?:,${ROOM_LEVEL})*$`),
      takes: `ROOM=LEVEL,... of ${LOG_ROOMS.join(', ')}`,
      applies: 'live',
      about: 'rooms with a level of their own',
    }),
  ),
  ...ALERT_SETTINGS,
  alertWebhook: orNone(
    'none',
    text('', {
      pattern: /^https?:\/\/\S{1,2000}$/,
      takes: 'an http or https URL, or file:PATH or env:NAME holding one',
      secret: true,
      applies: 'live',
      about: 'where each alert is posted as JSON when it is raised and when it is over',
    }),
  ),
  commitWithinMs: whole(0, {
    least: 0,
    most: 10_000,
    unit: 'ms',
    applies: 'live',
    about:
      'how long a cycle may wait for others to be stored with it: fewer writes for an SD card; readings of so long are lost when the power fails, and come so much later',
  }),
  // Ten thousand meters are connected within a minute; whatever is slower in answering is limited by `connecting`.
  connecting: connects(200, 'connections to meters being made at once'),
  connectingPerHost: connects(50, 'the same for each host'),
  connectsPerSecond: connects(250, 'connections to meters begun per second'),
  connectsPerSecondPerHost: connects(250, 'the same for each host'),
};

export type BridgeSettings = SettingsOf<typeof BRIDGE_SETTINGS>;
export const DEFAULT_BRIDGE_SETTINGS: BridgeSettings = defaultsOf(BRIDGE_SETTINGS);

interface Row {
  readonly name: string;
  readonly value: string | null;
  readonly sealed: Buffer | null;
}

/** What stands where a secret is: that there is one. */
export const SECRET_IS_SET = '(set)';

/** All settings. Throws SEALING_KEY_*, DATABASE_*. */
export function loadBridgeSettings(database: Database): BridgeSettings {
  return settingsFrom(database, (name, sealed) => openSetting(database, name, sealed));
}

/** The same with `SECRET_IS_SET` for each secret; needs no sealing key. */
export function shownBridgeSettings(database: Database): BridgeSettings {
  return settingsFrom(database, () => SECRET_IS_SET);
}

function settingsFrom(database: Database, secret: (name: string, sealed: Buffer) => string): BridgeSettings {
  const rows = mapped(database.path, () =>
    database.sql.prepare<[], Row>('SELECT name, value, sealed FROM setting').all(),
  );
  const own = rows.map(({ name, value, sealed }) => [
    name,
    sealed === null ? JSON.parse(value ?? 'null') : secret(name, sealed),
  ]);
  return { ...DEFAULT_BRIDGE_SETTINGS, ...(Object.fromEntries(own) as Partial<BridgeSettings>) };
}

/**
 * Changes some of the settings, whoever wants it: a value may be of any origin. Tells the names of those that are others
 * now. Throws INVALID_VALUE, and nothing is changed then.
 */
export function changeBridgeSettings(
  database: Database,
  changes: Readonly<Record<string, unknown>>,
): readonly (keyof BridgeSettings)[] {
  return inTransaction(database, () => {
    const changed = replaceBridgeSettings(database, changes);
    if (changed.length > 0) bumpRevision(database.sql);
    return changed;
  });
}

/** The same within the transaction of the caller, who bumps the revision. */
export function replaceBridgeSettings(
  database: Database,
  changes: Readonly<Record<string, unknown>>,
): readonly (keyof BridgeSettings)[] {
  checkSettings(BRIDGE_SETTINGS, changes);
  const before = loadBridgeSettings(database);
  const after = { ...before, ...(changes as Partial<BridgeSettings>) };
  if (after.alertPublishRateAbove < after.alertPublishRateBelow) {
    fail(
      'INVALID_VALUE',
      `alertPublishRateAbove (${after.alertPublishRateAbove}) is below alertPublishRateBelow (${after.alertPublishRateBelow})`,
    );
  }
  const names = Object.keys(changes) as (keyof BridgeSettings)[];
  const changed = names.filter((name) => before[name] !== after[name]);
  for (const name of changed) store(database, name, after[name]);
  return changed;
}

function store(database: Database, name: keyof BridgeSettings, value: unknown): void {
  const { sql } = database;
  const setting = settingNamed(BRIDGE_SETTINGS, name);
  if (value === setting.default) {
    sql.prepare('DELETE FROM setting WHERE name = ?').run(name);
    return;
  }
  const isSealed = isSecret(setting);
  sql
    .prepare('INSERT OR REPLACE INTO setting (name, value, sealed) VALUES (?, ?, ?)')
    .run(name, isSealed ? null : JSON.stringify(value), isSealed ? sealSetting(database, name, String(value)) : null);
}

function sealSetting(database: Database, name: string, value: string): Uint8Array {
  return database.sealing().seal(`setting/sealed/${name}`, Buffer.from(value));
}

function openSetting(database: Database, name: string, sealed: Uint8Array): string {
  return Buffer.from(database.sealing().open(`setting/sealed/${name}`, sealed)).toString();
}
