/** `line list/show/edit`: how the physical lines are treated. A line comes with its first meter and goes with its last. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { SESSION_POLICIES } from '../../dlms/settings.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { setLineSettings } from '../../store/fleet/lines.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import type { Fleet, Line } from '../../store/fleet/types.ts';
import {
  DEFAULT_LINE_SETTINGS,
  type LineSettings,
  type NumericLineSetting,
  validLineSettings,
} from '../../transport/line-settings.ts';
import { parseLink } from '../../transport/link-address.ts';
import { type Context, verb } from '../context.ts';
import { table } from '../table.ts';
import { parseChoice } from '../values.ts';

/** The flag of each number of milliseconds; `none`: the word that takes it away, where that can be. */
const NUMBERS: readonly {
  readonly name: NumericLineSetting;
  readonly flag: string;
  readonly none: string | null;
  readonly means: string;
}[] = [
  { name: 'connectTimeoutMs', flag: '--connect-timeout', none: null, means: 'how long a TCP connection may take' },
  { name: 'connectDelayMs', flag: '--connect-delay', none: null, means: 'silence after the line was opened' },
  { name: 'wakeUpDelayMs', flag: '--wake-up-delay', none: null, means: 'silence after the wake-up' },
  { name: 'interFrameMs', flag: '--inter-frame', none: null, means: 'least silence between frames of ours' },
  { name: 'turnaroundMs', flag: '--turnaround', none: null, means: 'least silence before we answer what was heard' },
  { name: 'signOnReactionMs', flag: '--sign-on-reaction', none: 'auto', means: 'mode E: before the acknowledgement' },
  { name: 'signOnTimeoutMs', flag: '--sign-on-timeout', none: null, means: 'mode E: wait for each answer' },
  {
    name: 'idleCloseMs',
    flag: '--idle-close',
    none: 'never',
    means: 'closes the line after so long with nothing to do',
  },
  {
    name: 'keepAliveMs',
    flag: '--keep-alive',
    none: 'never',
    means: 'asks a kept association that was silent so long',
  },
];

export function registerLine(program: Command): void {
  const line = program.command('line').description('the physical lines and how they are treated');
  line.command('list').description('all lines').action(verb(list));
  line.command('show <link>').description('one line with its settings and meters').action(verb(show));
  const editing = line.command('edit <link>').description('change the settings of a line; what is not named stays');
  for (const { flag, none, means } of NUMBERS) {
    editing.option(`${flag} <ms>`, none === null ? means : `${means}; ${none} for none`);
  }
  editing
    .option('--wake-up <hex>', 'octets sent after each opening; an empty text for none')
    .option('--echo <on|off>', 'the line gives our own octets back: they are taken out')
    .option('--session <policy>', `of meters that leave it to the line: ${SESSION_POLICIES.join(' | ')}`)
    .option('--reset', 'begin from the defaults')
    .action(verb(edit));
}

function withDatabase<T>(context: Context, action: (database: Database) => T): T {
  const database = openDatabase(context.databasePath);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

function lineOf(fleet: Fleet, link: string): Line {
  const { text } = parseLink(link);
  const line = fleet.lines.find((one) => one.link === text);
  return line ?? fail('NOT_FOUND', `there is no line ${text}`, { hint: 'look with `line list`' });
}

function described(fleet: Fleet, { id, link, settings }: Line) {
  return {
    link,
    meters: fleet.meters.filter(({ lineId }) => lineId === id).map(({ name }) => name),
    settings: { ...settings },
  };
}

/** What differs from the defaults, as on the command line. */
function changesOf(settings: LineSettings): string {
  return Object.entries(settings)
    .filter(([name, value]) => value !== DEFAULT_LINE_SETTINGS[name as keyof LineSettings])
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function list(context: Context): undefined {
  const fleet = withDatabase(context, loadFleet);
  const lines = fleet.lines.map((line) => described(fleet, line));
  context.print({ lines }, () =>
    table(
      ['LINE', 'METERS', 'SETTINGS'],
      lines.map(({ link, meters, settings }) => [link, String(meters.length), changesOf(settings) || 'defaults']),
    ),
  );
  return undefined;
}

function show(context: Context, command: Command): undefined {
  const [link = ''] = command.args;
  const fleet = withDatabase(context, loadFleet);
  print(context, described(fleet, lineOf(fleet, link)));
  return undefined;
}

function print(context: Context, shown: ReturnType<typeof described>): void {
  context.print(shown satisfies JsonValue, () =>
    [
      `${shown.link}: ${shown.meters.join(', ')}`,
      '',
      table(
        ['SETTING', 'VALUE'],
        Object.entries(shown.settings).map(([name, value]) => [
          name,
          value === null || value === '' ? '-' : String(value),
        ]),
      ),
    ].join('\n'),
  );
}

type EditFlags = Readonly<Record<string, string | boolean | undefined>>;

function edit(context: Context, command: Command): undefined {
  const [link = ''] = command.args;
  const flags = command.opts<EditFlags>();
  const fleet = withDatabase(context, (database) => {
    const line = lineOf(loadFleet(database), link);
    const base = flags.reset === true ? DEFAULT_LINE_SETTINGS : line.settings;
    setLineSettings(database, line.link, validLineSettings({ ...base, ...changesFrom(flags) }));
    return loadFleet(database);
  });
  print(context, described(fleet, lineOf(fleet, link)));
  return undefined;
}

/** Throws USAGE, INVALID_VALUE. */
function changesFrom(flags: EditFlags): Partial<LineSettings> {
  const changes: { -readonly [Name in keyof LineSettings]?: LineSettings[Name] } = {};
  for (const { name, flag, none } of NUMBERS) {
    const text = flags[camelCase(flag)];
    if (typeof text !== 'string') continue;
    if (none !== null && text === none) Object.assign(changes, { [name]: null });
    else if (/^\d{1,9}$/.test(text)) changes[name] = Number(text);
    else fail('USAGE', `${flag} takes milliseconds${none === null ? '' : ` or ${none}`}, not "${text}"`);
  }
  if (typeof flags.wakeUp === 'string') changes.wakeUp = flags.wakeUp.replaceAll(/\s/g, '').toLowerCase();
  if (typeof flags.echo === 'string') changes.echo = parseChoice('--echo', flags.echo, ['on', 'off']) === 'on';
  if (typeof flags.session === 'string') changes.session = parseChoice('--session', flags.session, SESSION_POLICIES);
  return changes;
}

/** As commander names the value of a flag. */
function camelCase(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
