/** Commands when things go wrong: deadlines, kills on either side, a daemon that stops, a database that refuses. */
import { describe, expect, test } from 'vitest';
import { encodeRequest, type MeterRequest } from '../../src/command/requests.ts';
import { openDatabase } from '../../src/store/database.ts';
import { addCommand } from '../../src/store/local/commands.ts';
import { type Bench, documentOf, type ErrorDocument, newBench } from '../support/cli.ts';
import { commanded, commandsOf, type StoredCommandReport } from '../support/commanded.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { addMeter, filesOf, init } from '../support/scene.ts';
import { countOf, TAG } from '../support/tap.ts';

const NOTES = '1:0.0.96.50.0.255';
const SLOW = { answerDelayMs: 1500 };
const ENERGY = '3:1.0.1.8.0.255';

function codeOf(finished: { stdout: string; stderr: string; status: number | null }): string {
  return documentOf<ErrorDocument>(finished).error.code;
}

function eventualCommand(
  bench: Bench,
  what: string,
  holds: (command: StoredCommandReport) => boolean,
): Promise<StoredCommandReport> {
  return eventually(what, async () => {
    const [command] = await commandsOf(bench);
    return command !== undefined && holds(command) ? command : null;
  });
}

/** Adds a command as a verb does, at once: a process of its own takes a second to begin. */
function ask(bench: Bench, request: MeterRequest): number {
  const database = openDatabase(bench.db);
  try {
    const [createdAt, { verb }] = [Date.now(), request];
    return addCommand(database, {
      ...{ meter: 'house1', verb, subject: '', arguments: encodeRequest(request), requestedBy: 'test' },
      ...{ idempotencyKey: null, createdAt, deadline: createdAt + 60_000 },
    });
  } finally {
    database.close();
  }
}

describe.concurrent('commands in trouble', { timeout: 180_000 }, () => {
  test('kill -9 of the daemon while it sets: the verb says so, and no daemon repeats it', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { tap, run } = await commanded(bench, ['--client', '1'], SLOW);
    const daemon = await run();
    const verb = bench.start(['set', 'house1', NOTES, 'octet-string:0a', '--json']);
    await eventually('it is sent', () => countOf(tap.apdus(), TAG.setRequest) === 1, { pauseMs: 5 });
    await daemon.kill();
    const finished = await verb.exited;
    expect([finished.status, codeOf(finished)]).toEqual([1, 'COMMAND_OUTCOME_UNKNOWN']);
    await run();
    expect(countOf(tap.apdus(), TAG.setRequest)).toBe(1);
    expect(await commandsOf(bench)).toMatchObject([{ state: 'failed', code: 'COMMAND_OUTCOME_UNKNOWN' }]);
  });

  test('kill -9 of both while they set: the next daemon ends it and does not repeat it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { tap, run } = await commanded(bench, ['--client', '1'], SLOW);
    const daemon = await run();
    const verb = bench.start(['set', 'house1', NOTES, 'octet-string:0a']);
    await eventually('it is sent', () => countOf(tap.apdus(), TAG.setRequest) === 1, { pauseMs: 5 });
    await Promise.all([verb.kill(), daemon.kill()]);
    expect(await commandsOf(bench)).toMatchObject([{ state: 'running' }]);
    await run();
    await eventualCommand(bench, 'the next daemon ends it', ({ state, code }) => {
      return state === 'failed' && code === 'COMMAND_OUTCOME_UNKNOWN';
    });
    expect(countOf(tap.apdus(), TAG.setRequest)).toBe(1);
  });

  test('the verb is killed: what it asked for is done all the same', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench, ['--client', '1'], SLOW);
    await run();
    const verb = bench.start(['set', 'house1', NOTES, 'octet-string:0b']);
    await eventualCommand(bench, 'it runs', ({ state }) => state === 'running');
    await verb.kill();
    await eventualCommand(bench, 'it is done', ({ state }) => state === 'done');
  });

  test('a deadline and Ctrl-C end what has not acted', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { tap, run } = await commanded(bench, ['--client', '1'], SLOW);
    await run();
    const late = await bench.run(['read', 'house1', ENERGY, '--deadline', '0.3', '--json']);
    expect([late.status, codeOf(late)]).toEqual([1, 'COMMAND_EXPIRED']);
    expect(await commandsOf(bench)).toMatchObject([{ state: 'expired', code: 'COMMAND_EXPIRED' }]);
    const verb = bench.start(['set', 'house1', NOTES, 'octet-string:0c', '--json']);
    await eventualCommand(bench, 'it is there', ({ verb: name }) => name === 'set');
    const { status } = await verb.stop('SIGINT');
    expect(status).toBe(130);
    const ended = await eventualCommand(bench, 'it is over', ({ endedAt }) => endedAt !== null);
    // Ctrl-C came before it acted, or its outcome is told.
    expect(['cancelled', 'done']).toContain(ended.state);
    expect(countOf(tap.apdus(), TAG.setRequest)).toBe(ended.state === 'done' ? 1 : 0);
  });

  test('the daemon stops meanwhile: what acts is told, what waits is refused', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run, tap } = await commanded(bench, ['--client', '1'], SLOW);
    const daemon = await run();
    const acting = bench.start(['set', 'house1', NOTES, 'octet-string:0d', '--json']);
    await eventually('it is sent', () => countOf(tap.apdus(), TAG.setRequest) === 1, { pauseMs: 5 });
    const waiting = ask(bench, { verb: 'scan' });
    daemon.child.kill('SIGTERM');
    expect((await acting.exited).status).toBe(0);
    const [read, set] = await commandsOf(bench);
    // Refused if the daemon saw it, else left to the next one.
    expect(read).toMatchObject({ id: waiting, startedAt: null });
    expect(['failed STOPPING', 'queued null']).toContain(`${read?.state} ${read?.code}`);
    expect(set).toMatchObject({ state: 'done' });
  });

  test('without a daemon verbs take turns, and a daemon that starts waits for them', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run, tap } = await commanded(bench, ['--client', '1'], { answerDelayMs: 300 });
    const verbs = [1, 2].map(() => bench.json(['read', 'house1', ENERGY]));
    await eventually('one is at it', () => tap.connections > 0, { pauseMs: 5 });
    await Promise.all([...verbs, run()]);
    expect(await commandsOf(bench)).toEqual(expect.any(Array));
  });

  test('what is written to a meter stands nowhere in clear', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench);
    const daemon = await run();
    const secret = 'sEcReT-9x7Q';
    await bench.json(['set', 'house1', NOTES, `octet-string:"${secret}"`, '--read-back']);
    // The error names what was written.
    expect(await bench.failure(['set', 'house1', NOTES, secret])).toMatchObject({ code: 'INVALID_VALUE' });
    await daemon.kill();
    const traces = [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').slice(0, 12)];
    for (const [name, octets] of filesOf(bench)) {
      expect({ name, found: traces.filter((trace) => octets.includes(trace)) }).toEqual({ name, found: [] });
    }
    expect(traces.filter((trace) => (daemon.stdout + daemon.stderr).includes(trace))).toEqual([]);
  });

  test('a meter that does not answer fails the command with the same error as without the daemon', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    await init(bench, `mqtt://127.0.0.1:${await freePort()}`);
    await addMeter(bench, 'house1', `tcp://127.0.0.1:${await freePort()}`);
    const alone = await bench.failure(['read', 'house1', ENERGY]);
    const daemon = bench.start(['run']);
    await daemon.firstLine();
    expect(await bench.failure(['read', 'house1', ENERGY])).toEqual(alone);
    expect(alone).toMatchObject({ status: 1, code: 'LINE_REFUSED' });
  });
});
