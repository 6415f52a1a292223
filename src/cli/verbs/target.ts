/** `target list/add`: the ThingsBoards to publish to. */
import type { Command } from 'commander';
import { openDatabase } from '../../store/database.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { addTarget } from '../../store/fleet/targets.ts';
import { type Context, verb } from '../context.ts';
import { table } from '../table.ts';
import { addTargetFlags, targetFromFlags } from '../target-flags.ts';

export function registerTarget(program: Command): void {
  const target = program.command('target').description('the ThingsBoards to publish to');
  addTargetFlags(target.command('add <name>').description('one more ThingsBoard; each gets every reading')).action(
    verb(add),
  );
  target.command('list').description('all targets').action(verb(list));
}

function add(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  const target = targetFromFlags(name, command.opts());
  const database = openDatabase(context.databasePath);
  try {
    addTarget(database, target);
  } finally {
    database.close();
  }
  context.print({ target: name, result: 'added' }, () => `Target ${name} added.`);
  return undefined;
}

function list(context: Context): undefined {
  const database = openDatabase(context.databasePath);
  try {
    const targets = loadFleet(database).targets.map(({ name, url, mode, protocol, caFile }) => ({
      name,
      url,
      mode,
      protocol,
      caFile,
    }));
    context.print({ targets }, () =>
      table(
        ['TARGET', 'URL', 'MODE', 'MQTT'],
        targets.map(({ name, url, mode, protocol }) => [name, url, mode, protocol]),
      ),
    );
  } finally {
    database.close();
  }
  return undefined;
}
