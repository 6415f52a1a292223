/** `init`: database, sealing key and the first ThingsBoard target. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { initDatabase, openDatabase } from '../../store/database.ts';
import { editTarget } from '../../store/fleet/apply.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { type FleetOutline, loadOutline } from '../../store/fleet/outline.ts';
import { DEFAULT_TARGET_SETTINGS } from '../../store/fleet/target-settings.ts';
import { addTarget } from '../../store/fleet/targets.ts';
import type { Fleet, NewTarget, Target } from '../../store/fleet/types.ts';
import { type Context, EXIT, SYSTEM_DATABASE, verb } from '../context.ts';
import { type FirstRunFlags, firstRun } from '../first-run/first-run.ts';
import { wantsProvisioning } from '../flags/provision-flags.ts';
import {
  addTargetFlags,
  hasCredentials,
  namesCredentials,
  type TargetFlags,
  targetChangeFromFlags,
} from '../flags/target-flags.ts';
import { targetFromFlagsOrServer } from '../provisioning/provisioned-target.ts';

interface InitFlags extends TargetFlags, FirstRunFlags {
  readonly name: string;
  readonly yes?: boolean;
}

export function registerInit(program: Command): void {
  addTargetFlags(
    program.command('init').description('create the database and its key, and name the ThingsBoard to publish to'),
  )
    .option('--name <name>', 'name of the target', 'thingsboard')
    .option('--yes', 'ask nothing')
    .option('--test', 'try the token at ThingsBoard')
    .option('--link <link>', 'way to the first meter, which is added and read')
    .option('--client <n>', 'client SAP at the meter')
    .option('--server <n>', 'its logical device')
    .option('--physical <n>', 'its HDLC lower (physical) address')
    .option('--auth <level>', 'its authentication level')
    .option('--secret <secret>', 'its password or HLS secret; file: and env: work')
    .option('--meter <name>', 'its name')
    .option('--meter-token <token>', 'device mode: access token of its device; file: and env: work')
    .option('--template <name>', 'the template that it is made from')
    .option('--points <points>', 'POINT=key,... that it is asked for')
    .option('--interval <seconds>', 'how often')
    .action(verb(init));
}

async function init(context: Context, command: Command): Promise<number> {
  const flags = command.opts<InitFlags>();
  const { databasePath } = context;
  const isWhole = flags.url !== undefined && hasCredentials(flags);
  // Who gave all there is to ask knows what he wants.
  const asks = !isWhole && flags.yes !== true && process.stdin.isTTY === true;
  if (!isWhole && !asks) {
    return fail('USAGE', `init needs ${flags.url === undefined ? '--url' : '--token'}`, {
      hint: 'dlms init --url mqtt://HOST:1883 --token TOKEN --mode gateway --yes',
    });
  }
  let made: Made | null = null;
  const store = async (wanted: InitFlags): Promise<void> => {
    made = await stored(context, wanted, asks);
    const { database, target } = made;
    if (!context.json) {
      process.stdout.write(`Database ${database} is ready, publishing to ${target.url} (${target.mode} mode).\n`);
    }
  };
  const outline = (): FleetOutline | null => outlineOf(databasePath);
  let good: boolean;
  if (asks) {
    const known = (): Target | null => outline()?.targets.find(({ name }) => name === flags.name) ?? null;
    const meters = (): readonly string[] => outline()?.meters.map(({ name }) => name) ?? [];
    // Who asks nothing need not load what talks to meters.
    const { wizard } = await import('../first-run/wizard.ts');
    good = await wizard(context, flags, { known, store, meters });
  } else {
    await store(flags);
    good = await firstRun(context, flags.name, flags);
  }
  const hasMeters = (outline()?.meters.length ?? 0) > 0;
  const next = `${hasMeters ? '' : 'dlms meter add NAME LINK --points ..., then '}${starterOf(databasePath)}`;
  context.print(made, () => `Next: ${next}`);
  return good ? EXIT.done : EXIT.failed;
}

type Made = {
  readonly database: string;
  readonly target: Pick<NewTarget, 'name' | 'url' | 'mode' | 'protocol'>;
  readonly result: 'created' | 'changed' | 'unchanged';
};

/** null where there is no database yet. Throws DATABASE_*. */
function outlineOf(path: string): FleetOutline | null {
  if (!existsSync(path)) return null;
  const database = openDatabase(path);
  try {
    return loadOutline(database);
  } finally {
    database.close();
  }
}

/**
 * Makes the database and the target. One of that name that is there already stays as it is: what differs is refused, or
 * changed where the person is there who `corrects` it.
 */
async function stored(context: Context, flags: InitFlags, corrects: boolean): Promise<Made> {
  const known = outlineOf(context.databasePath)?.targets.find(({ name }) => name === flags.name);
  if (known !== undefined && corrects) return corrected(context, flags, known);
  const target = await targetFromFlagsOrServer(flags.name, flags, context.signal);
  const database = initDatabase(context.databasePath);
  try {
    const isThere = alreadyThere(loadFleet(database), target);
    if (!isThere && known !== undefined) {
      return fail('ALREADY_EXISTS', `there is a target "${target.name}" already, with another URL, token or mode`, {
        hint: `\`dlms target edit ${target.name} --url URL --token TOKEN\` changes it; --name NAME makes another one`,
      });
    }
    if (!isThere) addTarget(database, target);
    const { name, url, mode, protocol } = target;
    return {
      database: database.path,
      target: { name, url, mode, protocol },
      result: isThere ? 'unchanged' : 'created',
    };
  } finally {
    database.close();
  }
}

async function corrected(context: Context, flags: InitFlags, known: Target): Promise<Made> {
  const { name, mode } = known;
  if (flags.mode !== mode) fail('INVALID_VALUE', `the mode of the target "${name}" is ${mode}, and cannot be changed`);
  const given = targetChangeFromFlags(flags, known.settings ?? DEFAULT_TARGET_SETTINGS);
  const change = wantsProvisioning(flags, namesCredentials(flags))
    ? { ...given, token: (await targetFromFlagsOrServer(name, flags, context.signal)).token }
    : given;
  const database = openDatabase(context.databasePath);
  try {
    const result = editTarget(database, name, change) ? 'changed' : 'unchanged';
    const { url, protocol } = { ...known, ...change };
    return { database: database.path, target: { name, url, mode, protocol }, result };
  } finally {
    database.close();
  }
}

/** What starts the daemon of a database. */
function starterOf(path: string): string {
  const isService = path === SYSTEM_DATABASE && existsSync('/run/systemd/system');
  return isService ? 'systemctl start dlms-multi-meter' : 'dlms run';
}

/** The same call again changes nothing; another target of that name is a mistake that `addTarget` names. */
function alreadyThere({ targets, connections }: Fleet, wanted: NewTarget): boolean {
  return targets.some(
    (target) =>
      target.name === wanted.name &&
      target.url === wanted.url &&
      target.mode === wanted.mode &&
      target.protocol === wanted.protocol &&
      connections.some(
        ({ targetId, meterId, token }) => targetId === target.id && meterId === null && token === wanted.token,
      ),
  );
}
