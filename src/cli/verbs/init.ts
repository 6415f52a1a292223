/** `init`: database, sealing key and the first ThingsBoard target. */
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline/promises';
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { type Database, initDatabase } from '../../store/database.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { addTarget } from '../../store/fleet/targets.ts';
import type { Fleet, NewTarget } from '../../store/fleet/types.ts';
import { type Context, EXIT, SYSTEM_DATABASE, verb } from '../context.ts';
import { type FirstRunFlags, firstRun } from '../first-run.ts';
import { targetFromFlagsOrServer } from '../provisioned-target.ts';
import { addTargetFlags, namesCredentials, type TargetFlags } from '../target-flags.ts';

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
    .option('--meter <name>', 'its name')
    .option('--template <name>', 'the template that it is made from')
    .option('--points <points>', 'POINT=key,... that it is asked for')
    .option('--interval <seconds>', 'how often')
    .action(verb(init));
}

async function init(context: Context, command: Command): Promise<number> {
  const given = command.opts<InitFlags>();
  const asks = given.yes !== true && process.stdin.isTTY === true;
  const prompt = asks ? createInterface({ input: process.stdin, output: process.stderr }) : null;
  try {
    const flags = await completed(given, prompt);
    const target = await create(context, flags);
    // Who gave all there is to ask knows what he wants.
    const questions = given.url === undefined || !isComplete(given) ? prompt : null;
    const good = await firstRun(context, target, flags, questions);
    return good ? EXIT.done : EXIT.failed;
  } finally {
    prompt?.close();
  }
}

/** The database with its target, whose name it returns. */
async function create(context: Context, flags: InitFlags): Promise<string> {
  const target = await targetFromFlagsOrServer(flags.name, flags, context.signal);
  const database = initDatabase(context.databasePath);
  try {
    const done = alreadyThere(loadFleet(database), target) ? 'unchanged' : added(database, target);
    context.print(
      {
        database: database.path,
        target: { name: target.name, url: target.url, mode: target.mode, protocol: target.protocol },
        result: done,
      },
      () =>
        `Database ${database.path} is ready, publishing to ${target.url} (${target.mode} mode).\n` +
        `Next: dlms meter add NAME LINK --points ..., then ${starterOf(database.path)}`,
    );
  } finally {
    database.close();
  }
  return target.name;
}

/** What starts the daemon of a database. */
function starterOf(path: string): string {
  const isService = path === SYSTEM_DATABASE && existsSync('/run/systemd/system');
  return isService ? 'systemctl start dlms-multi-meter' : 'dlms run';
}

function added(database: Database, target: NewTarget): 'created' {
  addTarget(database, target);
  return 'created';
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

/** Asks on a terminal for what the flags leave open. */
async function completed(flags: InitFlags, prompt: Interface | null): Promise<InitFlags> {
  if (flags.url !== undefined && isComplete(flags)) return flags;
  if (prompt === null) {
    return fail('USAGE', `init needs ${flags.url === undefined ? '--url' : '--token'}`, {
      hint: 'dlms init --url mqtt://HOST:1883 --token TOKEN --mode gateway --yes',
    });
  }
  const url =
    flags.url ?? ((await prompt.question('ThingsBoard URL [mqtt://127.0.0.1:1883]: ')) || 'mqtt://127.0.0.1:1883');
  const mode =
    flags.mode ??
    ((await prompt.question('gateway (one token for all meters) or device (one each) [gateway]: ')) || 'gateway');
  if (isComplete(flags)) return { ...flags, url, mode };
  return { ...flags, url, mode, token: await prompt.question(`Access token of the ${mode}: `) };
}

function isComplete(flags: InitFlags): boolean {
  return namesCredentials(flags) || flags.provisionKey !== undefined;
}
