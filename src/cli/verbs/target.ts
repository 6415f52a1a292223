/** `target list/add/edit/remove`: the ThingsBoards to publish to. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { openDatabase } from '../../store/database.ts';
import { editTarget } from '../../store/fleet/apply.ts';
import { credentialsOf } from '../../store/fleet/credentials.ts';
import { loadFleet, wantedTargets } from '../../store/fleet/load.ts';
import { loadOutline } from '../../store/fleet/outline.ts';
import { DEFAULT_TARGET_SETTINGS } from '../../store/fleet/target-settings.ts';
import { addTarget, removeTarget } from '../../store/fleet/targets.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { confirmed } from '../confirmation.ts';
import { type Context, verb } from '../context.ts';
import { addTargetChangeFlags, addTargetFlags, targetChangeFromFlags } from '../flags/target-flags.ts';
import { targetFromFlagsOrServer } from '../provisioning/provisioned-target.ts';
import { table } from '../views/table.ts';
import { withDatabase } from '../with-database.ts';

export function registerTarget(program: Command): void {
  const target = program.command('target').description('the ThingsBoards to publish to');
  addTargetFlags(target.command('add <name>').description('one more ThingsBoard; each gets every reading')).action(
    verb(add),
  );
  addTargetChangeFlags(
    target.command('edit <name>').description('changes what the flags name; a running daemon connects anew'),
  ).action(verb(edit));
  target.command('list').description('all targets').action(verb(list));
  target
    .command('remove <name>')
    .description('no reading is stored for it any more; what waits for it is still delivered')
    .option('--drop', 'gives up what waits for it')
    .option('--yes', 'confirms')
    .action(verb(remove));
}

async function add(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const target = await targetFromFlagsOrServer(name, command.opts(), context.signal);
  const database = openDatabase(context.databasePath);
  try {
    addTarget(database, target);
  } finally {
    database.close();
  }
  context.print({ target: name, result: 'added' }, () => `Target ${name} added.`);
  return undefined;
}

function edit(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  const changed = withDatabase(context, (database) => {
    const stored = loadOutline(database).targets.find((one) => one.name === name)?.settings ?? DEFAULT_TARGET_SETTINGS;
    const change = targetChangeFromFlags(command.opts(), stored);
    if (Object.keys(change).length === 0) fail('USAGE', 'no flag says what to change');
    return editTarget(database, name, change);
  });
  const result = changed ? 'changed' : 'unchanged';
  context.print({ target: name, result }, () => `Target ${name} ${result}.`);
  return undefined;
}

async function remove(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const { drop = false, yes = false } = command.opts<{ drop?: boolean; yes?: boolean }>();
  if (drop) await confirmed(`What waits for ${name} will be gone, with the readings in it.`, yes, context.signal);
  const rows = withDatabase(context, (database) => removeTarget(database, name, { drop }));
  context.print({ target: name, rows, result: 'removed' }, () =>
    rows === 0
      ? `Target ${name} removed.`
      : `Target ${name} removed; ${rows} rows are left for it, and it goes with the last.`,
  );
  return undefined;
}

/** `token`, `basic` or `x509`: how the bridge's own connection proves who it is. */
function credentialsKind({ connections }: Fleet, targetId: number): string {
  const own = connections.find((one) => one.targetId === targetId && one.meterId === null && !one.retired);
  return own === undefined ? 'token' : credentialsOf(own.token).kind;
}

function list(context: Context): undefined {
  const database = openDatabase(context.databasePath);
  try {
    const fleet = loadFleet(database);
    const wanted = new Set(wantedTargets(fleet).map(({ id }) => id));
    const targets = fleet.targets.map(({ id, name, url, mode, protocol, caFile, settings }) => ({
      name,
      removed: !wanted.has(id),
      url,
      mode,
      protocol,
      caFile,
      credentials: credentialsKind(fleet, id),
      ...DEFAULT_TARGET_SETTINGS,
      ...settings,
    }));
    context.print({ targets }, () =>
      table(
        ['TARGET', 'URL', 'MODE', 'MQTT', 'CREDENTIALS', 'ON CONFLICT', 'OUTBOX'],
        targets.map((one) => [
          one.removed ? `${one.name} (removed)` : one.name,
          one.url,
          one.mode,
          one.protocol,
          one.credentials,
          one.onConflict,
          one.outboxPolicy,
        ]),
      ),
    );
  } finally {
    database.close();
  }
  return undefined;
}
