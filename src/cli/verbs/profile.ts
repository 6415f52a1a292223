/** `profile METER OBIS`: rows of a profile. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../../dlms/cosem/date-time-attributes.ts';
import { isClockColumn, PROFILE_GENERIC } from '../../dlms/cosem/profile-generic.ts';
import { inOrderOfCapture, type ProfileEvent, profileEvents } from '../../dlms/cosem/profile-watch.ts';
import { unitSymbol } from '../../dlms/cosem/units.ts';
import { type Profile, type ProfileColumn, readProfile } from '../../meter/profile.ts';
import type { ProfileSelection } from '../../meter/profile-access.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { rowQuality } from '../../reading/quality.ts';
import { jsonOf } from '../../reading/reading-of.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../meter-flags.ts';
import { namedMeter, withMeter } from '../one-meter.ts';
import { table } from '../table.ts';
import { parseWhole } from '../values.ts';

interface ProfileFlags {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly entries?: string;
}

export function registerProfile(program: Command): void {
  addMeterFlags(
    program.command('profile <meter> <obis>').description('rows of a profile: all of them, or those of a time'),
  )
    .option('--from <iso>', 'captured at this time or later; without offset it is local time of this host')
    .option('--to <iso>', 'captured at this time or earlier')
    .option('--last <n>', 'the last N rows')
    .option('--entries <a-b>', 'rows A to B, counted from 1 as the meter does; 0 for B is the last')
    .action(verb(profile));
}

async function profile(context: Context, command: Command): Promise<undefined> {
  const [name = '', obisText = ''] = command.args;
  const obis = parseProfile(obisText);
  const selection = parseSelection(command.opts());
  const meter = namedMeter(context, name, command.opts());
  const { read, roundTrips } = await withMeter(context, meter, async (session) => {
    const before = session.counts.roundTrips;
    const read = await readProfile(session, obis, selection, meter.knowledge);
    return { read, roundTrips: session.counts.roundTrips - before };
  });
  const columns = read.columns.map(describedColumn);
  const rows = read.rows.map((row) => ({
    ts: row.at === null ? null : isoOf(row.at),
    status: row.status === null ? null : jsonOf(cosemValue(row.status)),
    ...rowQuality(row),
    values: row.values.map((value, index) => valueJson(value, read.columns[index]!, read.invertedDeviation)),
  }));
  const events = eventsIn(read).map(describedEvent);
  const { capturePeriod, entriesInUse, profileEntries } = read;
  context.print({ obis, capturePeriod, entriesInUse, profileEntries, columns, rows, events, roundTrips }, () =>
    text(read, rows, events),
  );
  return undefined;
}

/** What the rows tell among themselves; only those of a period stand at the same distance. */
function eventsIn(read: Profile): readonly ProfileEvent[] {
  const { columns, sortMethod } = read;
  return profileEvents(null, { ...read, captureObjects: columns, rows: inOrderOfCapture(read.rows, sortMethod) });
}

type TimedEvent = Exclude<ProfileEvent, { kind: 'columns-changed' }>;

function describedEvent(event: ProfileEvent) {
  const { kind, ...facts } = event as TimedEvent;
  return 'from' in facts
    ? { kind, from: isoOf(facts.from), to: isoOf(facts.to), missing: facts.missing }
    : { kind, at: isoOf(facts.at), byMs: facts.byMs };
}

function isoOf(at: number): string {
  return new Date(at).toISOString();
}

/** An OBIS code, or a point of class 7. */
function parseProfile(text: string): string {
  const { classId, obis } = parsePoint(text);
  if (classId !== null && classId !== PROFILE_GENERIC) fail('INVALID_POINT', `"${text}": a profile is of class 7`);
  return obis;
}

const EARLIEST = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;

function parseSelection({ from, to, last, entries }: ProfileFlags): ProfileSelection {
  const ways = [from ?? to, last, entries].filter((flag) => flag !== undefined);
  if (ways.length > 1) fail('USAGE', 'give --from and --to, or --last, or --entries');
  if (last !== undefined) return { kind: 'last', count: parseWhole('--last', last, 1, 0xffff_ffff) };
  if (entries !== undefined) return parseEntries(entries);
  if (ways.length === 0) return { kind: 'all' };
  const range = {
    kind: 'range',
    from: from === undefined ? EARLIEST : parseTime('--from', from),
    // The meter's clock may be ahead of ours.
    to: to === undefined ? systemClock.now() + DAY_MS : parseTime('--to', to),
  } as const;
  return range.from <= range.to ? range : fail('USAGE', `--from ${from} is later than --to ${to ?? 'now'}`);
}

function parseEntries(text: string): ProfileSelection {
  const [, firstText = '', lastText = ''] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  const first = parseWhole('--entries', firstText, 1, 0xffff_ffff);
  const last = parseWhole('--entries', lastText, 0, 0xffff_ffff);
  if (last !== 0 && last < first) fail('USAGE', `--entries ${text}: the last comes before the first`);
  return { kind: 'entries', first, last };
}

const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** A date alone is its midnight; like a time without offset it is the host's local one. */
function parseTime(flag: string, text: string): number {
  const time = Date.parse(text.includes('T') ? text : `${text}T00:00:00`);
  return ISO.test(text) && !Number.isNaN(time)
    ? time
    : fail('USAGE', `${flag} takes a time such as 2026-01-31T12:00:00Z, not "${text}"`);
}

function describedColumn({ obis, classId, attribute, scalerUnit, scalerError }: ProfileColumn) {
  return {
    obis,
    classId,
    attribute,
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    error: scalerError === null ? undefined : { ...scalerError.report() },
  };
}

/** A number whose scaler is not known may be wrong by powers of ten: no value is better than that one. */
function valueJson(value: Data, column: ProfileColumn, invertedDeviation: boolean): JsonValue {
  if (column.scalerError !== null) return null;
  const dateTime = isClockColumn(column) || isDateTimeAttribute(column.classId, column.attribute);
  return jsonOf(cosemValue(value, { scaler: column.scalerUnit?.scaler ?? 0, dateTime, invertedDeviation }));
}

function text(
  { columns, capturePeriod }: Profile,
  rows: readonly { readonly values: readonly JsonValue[] }[],
  events: readonly ReturnType<typeof describedEvent>[],
): string {
  const heads = columns.map(({ obis, scalerUnit }) => {
    const unit = scalerUnit === null ? null : unitSymbol(scalerUnit.unit);
    return unit === null ? obis : `${obis} [${unit}]`;
  });
  const period = capturePeriod === 0 ? 'captured on occasion' : `every ${capturePeriod} s`;
  return `${table(
    heads,
    rows.map(({ values }) => values.map((value) => (typeof value === 'string' ? value : writeJson(value)))),
  )}\n${[`${rows.length} rows, ${period}`, ...events.map(eventText)].join('\n')}`;
}

function eventText(event: ReturnType<typeof describedEvent>): string {
  if (event.kind === 'clock-changed') return `${event.at}: the clock was set, by ${(event.byMs ?? 0) / 1000} s`;
  return `${event.from} to ${event.to}: ${event.missing} rows are missing`;
}
