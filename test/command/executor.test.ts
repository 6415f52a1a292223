/** The executor on a real database and a meter of a few lines: what acts, acts once. */
import { expect, onTestFinished, test } from 'vitest';
import { CommandExecutor } from '../../src/command/executor.ts';
import { encodeRequest, type MeterRequest } from '../../src/command/requests.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { addCommand, cancelCommand, loadCommand, type StoredCommand } from '../../src/store/local/commands.ts';
import { openWriter } from '../../src/store/local/writer.ts';
import { newDatabase, reopened } from '../store/support.ts';
import { until } from '../support/until.ts';

const SWITCH: MeterRequest = { verb: 'relay', action: 'disconnect' };
const LOST = new BridgeError('LINE_CLOSED', 'the line broke');

/** One line for all meters: jobs one after the other, and again when a standing association was dead. */
interface Scripted {
  /** What a GET and an ACTION do, call by call; then they succeed. */
  readonly gets: (BridgeError | null)[];
  readonly actions: (BridgeError | Promise<void> | null)[];
  acted: number;
}

async function scene(script: Partial<Scripted> = {}) {
  const database = newDatabase();
  const clock = new VirtualClock();
  const writer = await openWriter(database.path, { thread: false, clock });
  const meter: Scripted = { gets: [], actions: [], acted: 0, ...script };
  let associated = true;
  const session = {
    get isAssociated() {
      return associated;
    },
    async get() {
      const error = meter.gets.shift() ?? null;
      if (error === null) return [{ data: { type: 'null-data' } }];
      associated = false;
      throw error;
    },
    async action() {
      meter.acted += 1;
      const outcome = meter.actions.shift() ?? null;
      if (outcome instanceof BridgeError) {
        associated = false;
        throw outcome;
      }
      await outcome;
      return [{ result: { code: 0 }, returnParameters: null }];
    },
  } as unknown as MeterSession;
  let line: Promise<unknown> = Promise.resolve();
  const submit = <T>(run: (session: MeterSession) => Promise<T>): Promise<T> => {
    const once = async (): Promise<T> => {
      associated = true;
      return run(session);
    };
    const job = line.then(() => once().catch((error) => (associated ? Promise.reject(error) : once())));
    line = job.catch(() => undefined);
    return job;
  };
  const executor = new CommandExecutor({
    database: reopened(database, { readonly: true }),
    writer,
    clock,
    log: silentLogger,
    meterNamed: (name) =>
      name === 'house1' ? { id: 1, name, knowledge: knowledgeOf(new Map()), submit, leave: () => undefined } : null,
  });
  const ask = (request: MeterRequest = SWITCH, withinMs = 60_000, name = 'house1'): number =>
    addCommand(database, {
      meter: name,
      verb: request.verb,
      subject: '',
      arguments: encodeRequest(request),
      requestedBy: 'test',
      idempotencyKey: null,
      createdAt: clock.now(),
      deadline: clock.now() + withinMs,
    });
  const ended = async (id: number): Promise<StoredCommand> => {
    await until('the command ends', () => loadCommand(database, id).endedAt !== null, { clock, stepMs: 50 });
    return loadCommand(database, id);
  };
  onTestFinished(async () => {
    const stopped = executor.stop();
    await clock.advance(100);
    await stopped;
    await writer.close();
  });
  return { database, clock, writer, meter, executor, ask, ended };
}

test('takes what is asked and acts once', async () => {
  const { executor, meter, ask, ended } = await scene();
  await executor.start();
  expect(await ended(ask())).toMatchObject({ state: 'done', code: null });
  expect(meter.acted).toBe(1);
});

test('an association that died unnoticed shows before it acts, and it acts once all the same', async () => {
  const { executor, meter, ask, ended } = await scene({ gets: [LOST] });
  await executor.start();
  expect(await ended(ask())).toMatchObject({ state: 'done' });
  expect(meter.acted).toBe(1);
});

test('an association that breaks off while it acts: the line runs the job again, the command does not', async () => {
  const { executor, meter, ask, ended } = await scene({ actions: [LOST] });
  await executor.start();
  expect(await ended(ask())).toMatchObject({ state: 'failed', code: 'COMMAND_OUTCOME_UNKNOWN' });
  expect(meter.acted).toBe(1);
});

test('an exception of the meter is an answer', async () => {
  const { executor, meter, ask, ended } = await scene({ actions: [new BridgeError('EXCEPTION_RESPONSE', 'no')] });
  await executor.start();
  expect(await ended(ask())).toMatchObject({ state: 'failed', code: 'EXCEPTION_RESPONSE' });
  expect(meter.acted).toBe(1);
});

test('what was running when the daemon died is not begun again; what waited is', async () => {
  const { executor, writer, meter, ask, ended } = await scene();
  const [write, read, waited, late] = [ask(), ask({ verb: 'scan' }), ask(), ask(SWITCH, -1)];
  for (const id of [write, read]) await writer.changeCommand({ id, from: ['queued'], to: 'running', at: 1 });
  await executor.start();
  expect(await ended(write)).toMatchObject({ state: 'failed', code: 'COMMAND_OUTCOME_UNKNOWN' });
  expect(await ended(read)).toMatchObject({ state: 'failed', code: 'COMMAND_INTERRUPTED' });
  expect(await ended(waited)).toMatchObject({ state: 'done' });
  expect(await ended(late)).toMatchObject({ state: 'expired', code: 'COMMAND_EXPIRED' });
  expect(meter.acted).toBe(1);
});

test('while one acts, those that wait can be cancelled and expire; what acts cannot', async () => {
  let finish = (): void => undefined;
  const busy = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { executor, database, clock, meter, ask, ended } = await scene({ actions: [busy] });
  await executor.start();
  const acting = ask(SWITCH, 1000);
  await until('it acts', () => meter.acted === 1, { clock, stepMs: 50 });
  const [cancelled, expiring] = [ask(), ask(SWITCH, 500)];
  await clock.advance(200);
  cancelCommand(database, cancelled, clock.now());
  cancelCommand(database, acting, clock.now());
  expect(await ended(expiring)).toMatchObject({ state: 'expired' });
  await clock.advance(2000);
  expect(loadCommand(database, acting)).toMatchObject({ state: 'running', cancelRequested: true });
  finish();
  expect(await ended(acting)).toMatchObject({ state: 'done' });
  expect(loadCommand(database, cancelled)).toMatchObject({ state: 'cancelled' });
  await clock.advance(500);
  expect(meter.acted).toBe(1);
});

test('the daemon stops: what waits is refused, what acts is told', async () => {
  let finish = (): void => undefined;
  const busy = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { executor, database, clock, meter, ask, ended } = await scene({ actions: [busy] });
  await executor.start();
  const [acting, waiting] = [ask(), ask()];
  await until('it acts', () => meter.acted === 1, { clock, stepMs: 50 });
  const stopped = executor.stop();
  expect(await ended(waiting)).toMatchObject({ state: 'failed', code: 'STOPPING', startedAt: null });
  expect(loadCommand(database, acting).state).toBe('running');
  finish();
  expect(await ended(acting)).toMatchObject({ state: 'done' });
  await stopped;
  expect(loadCommand(database, ask()).state).toBe('queued');
});

test('a meter that is not there, after a while in which it might have come', async () => {
  const { executor, clock, ask, ended } = await scene();
  await executor.start();
  const began = clock.monotonic();
  expect(await ended(ask(SWITCH, 60_000, 'nobody'))).toMatchObject({ state: 'failed', code: 'NOT_FOUND' });
  expect(clock.monotonic() - began).toBeGreaterThan(4000);
});

test('a hundred commands at once are all done', async () => {
  const { executor, meter, ask, ended } = await scene();
  await executor.start();
  const ids = Array.from({ length: 100 }, () => ask());
  for (const id of ids) expect(await ended(id)).toMatchObject({ state: 'done' });
  expect(meter.acted).toBe(100);
});
