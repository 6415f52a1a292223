/** `line list/show/edit`: how the physical lines are treated. A line comes with its first meter and goes with its last. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { settingNamed, settingText, takesText } from '../../core/setting.ts';
import { setLineSettings } from '../../store/fleet/lines.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import type { Fleet, Line } from '../../store/fleet/types.ts';
import {
  changedLineSettings,
  DEFAULT_LINE_SETTINGS,
  LINE_SETTINGS,
  type LineSettings,
} from '../../transport/line-settings.ts';
import { parseLink } from '../../transport/link-address.ts';
import { type Context, verb } from '../context.ts';
import { parseDeclared } from '../flags/values.ts';
import { table } from '../views/table.ts';
import { withDatabase } from '../with-database.ts';

/** The flag of each setting. */
const FLAGS: Readonly<Record<keyof LineSettings, string>> = {
  connectTimeoutMs: '--connect-timeout',
  connectDelayMs: '--connect-delay',
  wakeUp: '--wake-up',
  wakeUpDelayMs: '--wake-up-delay',
  interFrameMs: '--inter-frame',
  turnaroundMs: '--turnaround',
  echo: '--echo',
  signOnReactionMs: '--sign-on-reaction',
  signOnTimeoutMs: '--sign-on-timeout',
  idleCloseMs: '--idle-close',
  session: '--session',
  keepAliveMs: '--keep-alive',
};

export function registerLine(program: Command): void {
  const line = program.command('line').description('the physical lines and how they are treated');
  line.command('list').description('all lines').action(verb(list));
  line.command('show <link>').description('one line with its settings and meters').action(verb(show));
  const editing = line.command('edit <link>').description('change the settings of a line; what is not named stays');
  for (const [name, flag] of Object.entries(FLAGS)) {
    const setting = settingNamed(LINE_SETTINGS, name);
    editing.option(`${flag} <value>`, `${setting.about} (${takesText(setting)})`);
  }
  editing.option('--reset', 'begin from the defaults').action(verb(edit));
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

/** What differs from the defaults. */
function changesOf(settings: LineSettings): string {
  return Object.entries(changedLineSettings(settings))
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
          settingText(settingNamed(LINE_SETTINGS, name), value) || '-',
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
    setLineSettings(database, line.link, { ...base, ...changesFrom(flags) });
    return loadFleet(database);
  });
  print(context, described(fleet, lineOf(fleet, link)));
  return undefined;
}

/** Throws USAGE, naming the flag. */
function changesFrom(flags: EditFlags): Partial<LineSettings> {
  const changes = Object.entries(FLAGS).flatMap(([name, flag]) => {
    const given = flags[camelCase(flag)];
    if (typeof given !== 'string') return [];
    // Octets are easier to write in groups.
    const written = name === 'wakeUp' ? given.replaceAll(/\s/g, '').toLowerCase() : given;
    return [[name, parseDeclared(flag, settingNamed(LINE_SETTINGS, name), written)]];
  });
  return Object.fromEntries(changes) as Partial<LineSettings>;
}

/** As commander names the value of a flag. */
function camelCase(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
