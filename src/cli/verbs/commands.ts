/** `commands`: what was asked of the daemon's meters and what came of it; cancel, drop. */
import type { Command } from 'commander';
import { commandResult } from '../../command/ask.ts';
import { isOver } from '../../command/states.ts';
import { fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import {
  cancelCommand,
  commandError,
  dropCommands,
  loadCommand,
  loadCommands,
  type StoredCommand,
} from '../../store/local/commands.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { parseWhole } from '../flags/values.ts';
import { age } from '../views/figures.ts';
import { table } from '../views/table.ts';

const LISTED = 50;

export function registerCommands(program: Command): void {
  const commands = program.command('commands').description('what was asked of meters through the daemon');
  commands
    .command('list', { isDefault: true })
    .description('the newest commands')
    .option('--last <n>', 'how many', String(LISTED))
    .action(verb(list));
  commands.command('show <id>').description('one command with its result').action(verb(show));
  commands.command('cancel <id>').description('take a command back that does not act yet').action(verb(cancel));
  commands
    .command('drop [id]')
    .description('forget a command that is over, or with --all every one')
    .option('--all', 'every command that is over')
    .option('--yes', 'confirms')
    .action(verb(drop));
}

function withDatabase<T>(context: Context, readonly: boolean, action: (database: Database) => T): T {
  const database = openDatabase(context.databasePath, { readonly });
  try {
    return action(database);
  } finally {
    database.close();
  }
}

function described(command: StoredCommand) {
  const { id, meter, verb: name, subject, requestedBy, createdAt, deadline, state, progress, code } = command;
  const { startedAt, endedAt } = command;
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return {
    id,
    meter,
    verb: name,
    subject,
    requestedBy,
    createdAt: iso(createdAt),
    deadline: iso(deadline),
    state,
    startedAt: iso(startedAt),
    endedAt: iso(endedAt),
    progress,
    code,
  };
}

function list(context: Context, command: Command): undefined {
  const last = parseWhole('--last', command.opts<{ last: string }>().last, 1, 100_000);
  const commands = withDatabase(context, true, (database) => loadCommands(database, last));
  const now = systemClock.now();
  context.print({ commands: commands.map(described) }, () =>
    commands.length === 0
      ? 'No commands.'
      : table(
          ['ID', 'STATE', 'METER', 'VERB', 'ABOUT', 'ASKED', 'BY', 'ERROR'],
          commands.map(({ id, state, meter, verb: name, subject, createdAt, requestedBy, code }) => [
            String(id),
            state,
            meter,
            name,
            subject,
            age(createdAt, now),
            requestedBy,
            code ?? '',
          ]),
        ),
  );
  return undefined;
}

function show(context: Context, command: Command): undefined {
  const id = idOf(command.args[0]);
  const { shown, error, result } = withDatabase(context, true, (database) => ({
    shown: described(loadCommand(database, id)),
    error: commandError(database, id),
    result: commandResult(database, id),
  }));
  context.print({ ...shown, error: error === null ? null : { ...error }, result } satisfies JsonValue, () =>
    [
      `Command ${id}: ${shown.verb} ${shown.subject} of ${shown.meter}, asked by ${shown.requestedBy} at ${shown.createdAt}`,
      `${shown.state}${shown.endedAt === null ? '' : ` at ${shown.endedAt}`}${shown.progress === null ? '' : ` (${shown.progress})`}`,
      ...(error === null ? [] : [`${error.code}: ${error.message}`, `  ${error.hint}`]),
      ...(result === null ? [] : [writeJson(result, 2)]),
    ].join('\n'),
  );
  return undefined;
}

/** Exit status 1 when it is too late. */
function cancel(context: Context, command: Command): number {
  const id = idOf(command.args[0]);
  const before = withDatabase(context, true, (database) => loadCommand(database, id).state);
  if (isOver(before)) {
    context.print({ id, result: 'over', state: before }, () => `Command ${id} is over: ${before}.`);
    return EXIT.failed;
  }
  const state = withDatabase(context, false, (database) => cancelCommand(database, id, systemClock.now()));
  const result = state === 'cancelled' ? 'cancelled' : 'requested';
  context.print({ id, result, state }, () =>
    state === 'cancelled'
      ? `Command ${id} is cancelled.`
      : `Command ${id} runs; it ends at its next step, unless it changes the meter.`,
  );
  return EXIT.done;
}

function drop(context: Context, command: Command): undefined {
  const { all = false, yes = false } = command.opts<{ all?: boolean; yes?: boolean }>();
  const [text] = command.args;
  if (all === (text !== undefined)) fail('USAGE', 'name one command, or give --all');
  if (!yes) fail('USAGE', 'dropping forgets what was asked and what came of it', { hint: 'give --yes to confirm' });
  const id = text === undefined ? null : idOf(text);
  const dropped = withDatabase(context, false, (database) => {
    if (id !== null && !isOver(loadCommand(database, id).state))
      fail('USAGE', `command ${id} is not over`, { hint: `cancel it first: dlms commands cancel ${id}` });
    return dropCommands(database, id);
  });
  context.print({ dropped }, () => `${dropped} commands dropped.`);
  return undefined;
}

function idOf(text = ''): number {
  return parseWhole('ID', text, 1, Number.MAX_SAFE_INTEGER);
}
