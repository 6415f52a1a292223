/** The journal of commands: what is asked stands sealed, steps are taken from the right states only, old rows go. */
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import type { Database } from '../../src/store/database.ts';
import {
  addCommand,
  cancelCommand,
  commandArguments,
  commandError,
  commandParts,
  createOpenCommands,
  dropCommands,
  loadCommand,
  loadCommands,
  type NewCommand,
  sealError,
  sealPart,
} from '../../src/store/local/commands.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { codeOf, newDatabase } from './support.ts';

function added(database: Database, changes: Partial<NewCommand> = {}): number {
  return addCommand(database, {
    meter: 'house1',
    verb: 'set',
    subject: '1:0.0.96.50.0.255',
    arguments: '{"secret":"open sesame"}',
    requestedBy: 'cli:ada(1000)',
    idempotencyKey: null,
    createdAt: 1000,
    deadline: 61_000,
    ...changes,
  });
}

test('what was asked can be read back, and stands sealed for its own row', () => {
  const database = newDatabase();
  const [first, second] = [added(database), added(database, { verb: 'read' })];
  expect(loadCommand(database, first)).toEqual({
    id: first,
    meter: 'house1',
    verb: 'set',
    subject: '1:0.0.96.50.0.255',
    requestedBy: 'cli:ada(1000)',
    createdAt: 1000,
    deadline: 61_000,
    state: 'queued',
    cancelRequested: false,
    startedAt: null,
    endedAt: null,
    progress: null,
    code: null,
  });
  expect(commandArguments(database, first)).toBe('{"secret":"open sesame"}');
  expect(loadCommands(database, 10).map(({ id }) => id)).toEqual([second, first]);
  expect(createOpenCommands(database)().map(({ id }) => id)).toEqual([first, second]);
  database.sql.prepare('UPDATE command SET arguments = (SELECT arguments FROM command WHERE id = ?)').run(second);
  expect(codeOf(() => commandArguments(database, first))).toBe('SEALING_KEY_WRONG');
  expect(codeOf(() => loadCommand(database, 99))).toBe('NOT_FOUND');
  expect(codeOf(() => commandArguments(database, 99))).toBe('NOT_FOUND');
});

test('the same idempotency key is the same command; without one each is its own', () => {
  const database = newDatabase();
  const first = added(database, { idempotencyKey: 'rpc-7' });
  expect(added(database, { idempotencyKey: 'rpc-7', verb: 'read' })).toBe(first);
  expect(added(database, { idempotencyKey: 'rpc-8' })).not.toBe(first);
  expect(added(database)).not.toBe(added(database));
});

test('steps are taken from the states named only, and say whether they were', async () => {
  const database = newDatabase();
  const writer = await openWriter(database.path, { thread: false });
  const id = added(database);
  const step = (from: 'queued' | 'running', to: 'running' | 'done', at: number) =>
    writer.changeCommand({ id, from: [from], to, at });
  expect(await step('running', 'done', 1)).toBe(false);
  expect(await step('queued', 'running', 2)).toBe(true);
  expect(await step('queued', 'running', 3)).toBe(false);
  expect(loadCommand(database, id)).toMatchObject({ state: 'running', startedAt: 2, endedAt: null });
  await writer.addCommandPart({ id, part: 1, json: sealPart(database.sealing(), id, 1, '[1]'), progress: 'half' });
  await writer.addCommandPart({ id, part: 0, json: sealPart(database.sealing(), id, 0, '{}') });
  expect(await step('running', 'done', 4)).toBe(true);
  expect(loadCommand(database, id)).toMatchObject({ state: 'done', startedAt: 2, endedAt: 4, progress: 'half' });
  expect(commandParts(database, id)).toEqual(['{}', '[1]']);
  expect(commandParts(database, id, 1)).toEqual(['[1]']);
  expect(createOpenCommands(database)()).toEqual([]);
  await writer.close();
});

test('why it failed', async () => {
  const database = newDatabase();
  const writer = await openWriter(database.path, { thread: false });
  const id = added(database);
  const report = new BridgeError('METER_TIMEOUT', 'open sesame was not heard').report();
  const error = sealError(database.sealing(), id, report);
  await writer.changeCommand({ id, from: ['queued'], to: 'failed', at: 5, code: report.code, error });
  expect(commandError(database, id)).toEqual(report);
  expect(loadCommand(database, id)).toMatchObject({ state: 'failed', code: 'METER_TIMEOUT' });
  expect(commandError(database, added(database))).toBeNull();
  await writer.close();
});

test('cancelling: what waits is cancelled, what runs is told so, what is over stays', async () => {
  const database = newDatabase();
  const writer = await openWriter(database.path, { thread: false });
  const [waits, runs, over] = [added(database), added(database), added(database)];
  await writer.changeCommand({ id: runs, from: ['queued'], to: 'running', at: 2 });
  await writer.changeCommand({ id: over, from: ['queued'], to: 'failed', at: 2 });
  expect([waits, runs, over].map((id) => cancelCommand(database, id, 9))).toEqual(['cancelled', 'running', 'failed']);
  expect(loadCommand(database, waits)).toMatchObject({ endedAt: 9, cancelRequested: false });
  expect(loadCommand(database, runs)).toMatchObject({ endedAt: null, cancelRequested: true });
  expect(dropCommands(database, runs)).toBe(0);
  expect(dropCommands(database, waits)).toBe(1);
  expect(dropCommands(database, null)).toBe(1);
  await writer.close();
});

test('old commands go, results before them; what is not over stays', async () => {
  const database = newDatabase();
  const writer = await openWriter(database.path, { thread: false });
  const ended = async (at: number): Promise<number> => {
    const id = added(database);
    await writer.addCommandPart({ id, part: 0, json: sealPart(database.sealing(), id, 0, '{}') });
    await writer.changeCommand({ id, from: ['queued'], to: 'done', at });
    return id;
  };
  const [old, older] = [await ended(500), await ended(100)];
  const fresh = await ended(900);
  const open = added(database, { createdAt: 1 });
  await writer.pruneCommands({ endedBefore: 200, resultsBefore: 600 });
  expect(loadCommands(database, 10).map(({ id }) => id)).toEqual([open, fresh, old]);
  expect([old, fresh].map((id) => commandParts(database, id).length)).toEqual([0, 1]);
  expect(codeOf(() => loadCommand(database, older))).toBe('NOT_FOUND');
  await writer.close();
});
