/** `outbox`: readings that wait for delivery or were set aside; from the database, with or without a daemon. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { dropFromOutbox, type ListedRow, listOutbox, replayOutbox } from '../../store/local/outbox-keeping.ts';
import { confirmed } from '../confirmation.ts';
import { type Context, verb } from '../context.ts';
import { parseWhole } from '../flags/values.ts';
import { age } from '../views/figures.ts';
import { outboxReport, outboxText } from '../views/outbox-report.ts';
import { table } from '../views/table.ts';
import { withDatabase, withReadOnlyDatabase } from '../with-database.ts';

const LISTED = 50;
const MOST = 1_000_000;

export function registerOutbox(program: Command): void {
  const outbox = program.command('outbox').description('readings that wait for delivery').action(verb(depth));
  outbox
    .command('list')
    .description('the oldest rows')
    .option('--quarantined', 'only those that are set aside')
    .option('--last <n>', 'how many', String(LISTED))
    .action(verb(list));
  outbox
    .command('replay [id]')
    .description('let a row that was set aside go again, or with --all every one that ThingsBoard refused')
    .option('--all', 'every row that ThingsBoard refused')
    .action(verb(replay));
  outbox
    .command('drop [id]')
    .description('take a row away, or with --quarantined every one that ThingsBoard refused; its readings are gone')
    .option('--quarantined', 'every row that ThingsBoard refused')
    .option('--yes', 'confirms')
    .action(verb(drop));
}

function depth(context: Context): undefined {
  const report = withReadOnlyDatabase(context, outboxReport);
  context.print(report, () => outboxText(report));
  return undefined;
}

function list(context: Context, command: Command): undefined {
  const { quarantined = false, last } = command.opts<{ quarantined?: boolean; last: string }>();
  const limit = parseWhole('--last', last, 1, MOST);
  const rows = withReadOnlyDatabase(context, (database) => listOutbox(database, { quarantined, limit }));
  context.print(rows.map(described), () => text(rows));
  return undefined;
}

function described({ createdAt, ...row }: ListedRow) {
  return { ...row, createdAt: new Date(createdAt).toISOString() };
}

function text(rows: readonly ListedRow[]): string {
  if (rows.length === 0) return 'No rows.';
  const now = systemClock.now();
  return table(
    ['ROW', 'TARGET', 'METER', 'READ', 'READINGS', 'OCTETS', 'SET ASIDE', 'REASON'],
    rows.map(({ id, target, device, createdAt, readings, bytes, setAside, reason }) => [
      String(id),
      target,
      device === '' ? 'bridge' : device,
      age(createdAt, now),
      String(readings),
      String(bytes),
      setAside ?? '',
      reason ?? '',
    ]),
  );
}

/** The row that is named; null: all of them, which a flag has to say. Throws USAGE. */
function rowOf(command: Command, flag: string, all: boolean): number | null {
  const [id] = command.args;
  if ((id === undefined) !== all) fail('USAGE', `name one row, or say ${flag}`, { hint: 'look with `outbox list`' });
  return id === undefined ? null : parseWhole('the row', id, 1, Number.MAX_SAFE_INTEGER);
}

function replay(context: Context, command: Command): undefined {
  const id = rowOf(command, '--all', command.opts<{ all?: boolean }>().all === true);
  const rows = withDatabase(context, (database) => replayOutbox(database, id));
  context.print({ rows, result: 'replayed' }, () => `${rows} rows go again; a running daemon takes them within 30 s.`);
  return undefined;
}

async function drop(context: Context, command: Command): Promise<undefined> {
  const { quarantined = false, yes = false } = command.opts<{ quarantined?: boolean; yes?: boolean }>();
  const id = rowOf(command, '--quarantined', quarantined);
  const what = id === null ? 'All rows that ThingsBoard refused' : `Row ${id}`;
  await confirmed(`${what} will be gone, with the readings in it.`, yes, context.signal);
  const rows = withDatabase(context, (database) => dropFromOutbox(database, id));
  context.print({ rows, result: 'dropped' }, () => `${rows} rows dropped.`);
  return undefined;
}
