/** `profile METER OBIS`: rows of a profile. The JSON is a contract, see CLI.md. */
import type { Command } from 'commander';
import type { ProfileDocument } from '../../command/profile.ts';
import type { DescribedEvent } from '../../command/profile-document.ts';
import { fail } from '../../core/errors.ts';
import { writeJson } from '../../core/json.ts';
import { PROFILE_GENERIC } from '../../dlms/cosem/profile-generic.ts';
import type { ProfileSelection } from '../../meter/profile-access.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, verb } from '../context.ts';
import { parseTime, parseWhole } from '../flags/values.ts';
import { addWorkFlags } from '../flags/work-flags.ts';
import { workOn } from '../meter/meter-work.ts';
import { table } from '../views/table.ts';

interface ProfileFlags {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly entries?: string;
}

export function registerProfile(program: Command): void {
  addWorkFlags(
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
  const request = { verb: 'profile', obis: parseProfile(obisText), selection: parseSelection(command.opts()) } as const;
  const document = await workOn(context, command, name, request);
  context.print(document, () => text(document as unknown as ProfileDocument));
  return undefined;
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

function text({ columns, rows, events, capturePeriod }: ProfileDocument): string {
  const heads = columns.map(({ obis, unit }) => (unit === null ? obis : `${obis} [${unit}]`));
  const period = capturePeriod === 0 ? 'captured on occasion' : `every ${capturePeriod} s`;
  return `${table(
    heads,
    rows.map(({ values }) => values.map((value) => (typeof value === 'string' ? value : writeJson(value)))),
  )}\n${[`${rows.length} rows, ${period}`, ...events.map(eventText)].join('\n')}`;
}

function eventText(event: DescribedEvent): string {
  if (event.kind === 'clock-changed') return `${event.at}: the clock was set, by ${(event.byMs ?? 0) / 1000} s`;
  return `${event.from} to ${event.to}: ${event.missing} rows are missing`;
}
