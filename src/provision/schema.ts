/** What stands in templates and fleet files, as zod schemas: what comes out is what the store takes. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { faultOf, type Setting, type SettingsOf, type SettingTable } from '../core/setting.ts';
import { parseObis } from '../dlms/axdr/obis.ts';
import { parseQuirk, type Quirks, quirkTexts } from '../dlms/quirks.ts';
import { DEFAULT_METER_SETTINGS, METER_SETTINGS, type MeterSettings } from '../dlms/settings.ts';
import { CONFORMANCE_BITS } from '../dlms/xdlms/conformance.ts';
import { parseKeyedPoint, splitPoints } from '../reading/point-text.ts';
import { canonicalPushPoint } from '../reading/push-point.ts';
import type { NewPointGroup, NewProfile } from '../store/fleet/types.ts';
import { canonicalDialIn } from '../transport/dial-in.ts';

/** A text that a function of ours reads: what it throws is the message. */
export function read<T>(parse: (text: string) => T) {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: asBridgeError(thrown).message });
      return z.NEVER;
    }
  });
}

/** Some of a table's settings, as they are: no default is put in. */
export function settingsOf<Table extends SettingTable>(table: Table, what: string) {
  return z.record(z.string(), z.unknown()).transform((given, context) => {
    for (const [name, value] of Object.entries(given)) {
      const setting = Object.hasOwn(table, name) ? table[name]! : null;
      const message = setting === null ? `${name} is no setting of ${what}` : faultOf(name, setting, value);
      if (message !== null) context.addIssue({ code: 'custom', message });
    }
    return given as Partial<SettingsOf<Table>>;
  });
}

/** As the runtime spells it. Throws INVALID_VALUE. */
function timeZone(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new BridgeError('INVALID_VALUE', `"${name}" is no time zone: write one as Europe/Madrid`, { cause });
  }
}

/** A value that a declaration tells all of. */
function declared<T>(name: string, setting: Setting<T>) {
  return z.unknown().transform((value, context) => {
    const fault = faultOf(name, setting, value);
    if (fault === null) return value as T;
    context.addIssue({ code: 'custom', message: fault });
    return z.NEVER;
  });
}

function declaredOf<Table extends SettingTable>(table: Table) {
  const schemas = Object.entries(table).map(([name, setting]) => [name, declared(name, setting)]);
  return Object.fromEntries(schemas) as { readonly [Name in keyof Table]: z.ZodType<SettingsOf<Table>[Name]> };
}

/** Every setting of a meter: as it is declared, and what is written in another way than it is kept. */
const SETTINGS = {
  ...declaredOf(METER_SETTINGS),
  systemTitle: declared('systemTitle', METER_SETTINGS.systemTitle).transform(lowerCase),
  serverSystemTitle: declared('serverSystemTitle', METER_SETTINGS.serverSystemTitle).transform(lowerCase),
  preEstablished: z
    .strictObject({
      conformance: z.array(z.enum(CONFORMANCE_BITS)).nullable(),
      serverMaxPdu: z.number().int().min(0).max(0xffff),
    })
    .nullable(),
  timeZone: read(timeZone).nullable(),
  identify: z.array(read(canonicalDialIn)),
  push: z.array(read(canonicalPushPoint)),
  quirks: z.array(read(parseQuirk)).transform((quirks): Partial<Quirks> => Object.assign({}, ...quirks)),
} satisfies { readonly [name in keyof MeterSettings]: z.ZodType<MeterSettings[name]> };

function lowerCase(title: string | null): string | null {
  return title?.toLowerCase() ?? null;
}

/** Settings as `settingsSchema` reads them, none left out that differs from the usual ones. */
export function writtenSettings(
  settings: MeterSettings,
  usual: MeterSettings = DEFAULT_METER_SETTINGS,
): Readonly<Record<string, unknown>> {
  const own = Object.entries(settings).filter(
    ([name, value]) => !isDeepStrictEqual(value, usual[name as keyof MeterSettings]),
  );
  return Object.fromEntries(
    own.map(([name, value]) => [name, name === 'quirks' ? quirkTexts(settings.quirks) : value]),
  );
}

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof MeterSettings)[];

/** Some of the settings; none of them gets a default here. */
export const settingsSchema = z.strictObject(SETTINGS).partial();

/** Seconds in the file, milliseconds inside. */
export const secondsSchema = z
  .number()
  .min(0.1)
  .max(31_536_000)
  .transform((seconds) => Math.round(seconds * 1000));

const points = z.array(read(parseKeyedPoint)).min(1);

/** Several points in one text, as `--points` takes them, or a list of them. */
export const pointsSchema = z.preprocess((given) => (typeof given === 'string' ? splitPoints(given) : given), points);

export const groupSchema = z
  .strictObject({
    name: z.string().regex(/^[^@:\s][^@:]*$/, 'a group has a name without @ and :'),
    interval: secondsSchema,
    points,
  })
  .transform(({ name, interval, points }): NewPointGroup => ({ name, intervalMs: interval, points }));

const EVENT_LOG = /^\d+\.\d+\.99\.98\./;

/** `all`, or a moment in ISO 8601. */
const backfillSchema = read((text): number | 'all' => {
  const moment = Date.parse(text);
  if (text !== 'all' && Number.isNaN(moment)) fail('INVALID_VALUE', `"${text}" is neither all nor a time`);
  return text === 'all' ? text : moment;
});

export const profileSchema = z
  .strictObject({
    obis: read(parseObis),
    kind: z.enum(['load', 'events']).optional(),
    interval: secondsSchema,
    columns: z.array(read(parseKeyedPoint)).optional(),
    prefix: z.string().max(100).optional(),
    backfill: backfillSchema.optional(),
    events: z.record(z.string().regex(/^\d{1,10}$/, 'an event has a number'), z.string().min(1)).optional(),
  })
  .transform(
    ({ obis, kind, interval, columns = [], events = {}, prefix, backfill }): NewProfile => ({
      obis,
      kind: kind ?? kindOfProfile(obis),
      intervalMs: interval,
      columns,
      eventNames: events,
      ...(prefix === undefined ? {} : { prefix }),
      ...(backfill === undefined ? {} : { backfillFrom: backfill }),
    }),
  );

/** Value groups C and D 99.98 are event logs (Blue Book 7.4.5). */
export function kindOfProfile(obis: string): NewProfile['kind'] {
  return EVENT_LOG.test(obis) ? 'events' : 'load';
}
