/** Work on stored meters through the running daemon: its association, its counters, and the same documents as without it. */
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { commanded, commandsOf } from '../support/commanded.ts';
import { eventually } from '../support/eventually.ts';
import { countersOf, ownMeters } from '../support/scene.ts';
import { countOf, invocationCounters, TAG } from '../support/tap.ts';

const POINTS = ['1.0.1.8.0.255', '3:1.0.32.7.0.255', '8:0.0.1.0.0.255'];
const NOTES = '1:0.0.96.50.0.255';
const BLOCK_CIPHER_KEY = '000102030405060708090a0b0c0d0e0f';
const AUTHENTICATION_KEY = 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf';

interface ReadReport {
  readonly results: readonly { readonly value: unknown; readonly error: unknown }[];
}

describe.concurrent('commands', { timeout: 180_000 }, () => {
  test('read and write between polls: one connection, one association', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { tap, run } = await commanded(bench);
    await run();
    for (let turn = 0; turn < 3; turn += 1) {
      const { results } = await bench.json<ReadReport>(['read', 'house1', ...POINTS]);
      expect(results.map(({ error }) => error)).toEqual([null, null, null]);
    }
    await bench.json(['set', 'house1', NOTES, '"hello"', '--read-back']);
    const { cycles } = countersOf(bench);
    await eventually('polls go on', () => countersOf(bench).cycles > cycles + 1);
    expect(tap.connections).toBe(1);
    expect(countOf(tap.apdus(), TAG.aarq)).toBe(1);
    expect(countOf(tap.apdus(), TAG.setRequest)).toBe(1);
    const commands = await commandsOf(bench);
    expect(commands.map(({ verb, subject, state }) => `${verb} ${subject}: ${state}`)).toEqual([
      `set ${NOTES}: done`,
      ...Array.from({ length: 3 }, () => `read ${POINTS.join(' ')}: done`),
    ]);
    expect(commands[0]?.requestedBy).toMatch(/^cli:/);
  });

  test('every verb gives the same document with and without the daemon', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench);
    const verbs = [
      ['read', 'house1', '0.0.42.0.0.255', '3:1.0.32.7.0.255:3', '9.9.9.9.9.9'],
      ['scan', 'house1'],
      // Both as they stand in the past, whenever a row is captured meanwhile: at once, and in portions.
      ['profile', 'house1', '1.0.99.1.0.255', '--from', daysAgo(30), '--to', daysAgo(29.9)],
      ['profile', 'house1', '1.0.99.1.0.255', '--from', daysAgo(30), '--to', daysAgo(25)],
      ['set', 'house1', NOTES, 'octet-string:00ff', '--read-back'],
      ['set', 'house1', NOTES, '"ten"'],
      ['set', 'house1', '3:1.0.1.8.0.255', 'unsigned:5'],
      ['set', 'house1', NOTES, 'no hex'],
      ['call', 'house1', '8:0.0.1.0.0.255:6', 'long:0'],
      ['clock', 'house1'],
      ['clock', 'house1', '--set'],
      ['relay', 'house1'],
      ['relay', 'house1', '--connect'],
    ];
    const outputs = async (): Promise<unknown[]> => {
      const all: unknown[] = [];
      for (const verb of verbs) {
        const [json, text] = [await bench.run([...verb, '--json']), await bench.run(verb)];
        all.push({ verb, status: json.status, json: settled(json.stdout), text: settled(text.stdout + text.stderr) });
      }
      return all;
    };
    const alone = await outputs();
    expect(await commandsOf(bench)).toEqual([]);
    const daemon = await run();
    const through = await outputs();
    expect((await commandsOf(bench)).length).toBe(verbs.length * 2);
    await daemon.kill();
    expect(through).toEqual(alone);
  });

  test('ciphered: two verbs at a time and polls share one association, and no counter is used twice', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const keys = ['--block-cipher-key', BLOCK_CIPHER_KEY, '--authentication-key', AUTHENTICATION_KEY];
    const { tap, run } = await commanded(bench, ['--client', '1', '--auth', 'gmac', '--security', 'both', ...keys], {
      auth: 'gmac',
      security: 'both',
    });
    // Without a daemon they take turns, each with an association of its own.
    await Promise.all([read(bench), read(bench)]);
    const before = countOf(tap.apdus(), TAG.aarq);
    const connections = tap.connections;
    const daemon = await run();
    for (let turn = 0; turn < 2; turn += 1) await Promise.all([read(bench), read(bench)]);
    expect(countOf(tap.apdus(), TAG.aarq) - before).toBe(1);
    expect(tap.connections - connections).toBe(1);
    await daemon.kill();
    await read(bench);
    const counters = invocationCounters(tap.apdus());
    expect(counters.length).toBeGreaterThan(20);
    expect(new Set(counters).size).toBe(counters.length);
    expect(counters).toEqual([...counters].sort((a, b) => a - b));
  });

  test('a meter that is disabled, and one that was added this moment, can be asked', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { tap, run, link } = await commanded(bench);
    await run();
    await bench.json(['meter', 'disable', 'house1']);
    await read(bench);
    await eventually('the association was released', () => {
      const apdus = tap.apdus();
      return countOf(apdus, TAG.release) === countOf(apdus, TAG.aarq);
    });
    const heard = tap.apdus().length;
    await bench.json(['meter', 'add', 'house2', link, '--client', '16', '--points', '3:1.0.1.8.0.255=a']);
    await bench.json(['read', 'house2', '3:1.0.1.8.0.255']);
    expect(tap.apdus().length).toBeGreaterThan(heard);
  });

  test('a link whose line the daemon holds is refused over HDLC', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench);
    const { links, virtual } = await ownMeters(bench, { framing: 'hdlc' });
    const [link = ''] = links;
    const physical = String(virtual.addresses[0]?.physical);
    const readLink = ['read', link, '3:1.0.1.8.0.255', '--physical', physical];
    await bench.json(['meter', 'add', 'house2', link, '--physical', physical, '--points', '3:1.0.1.8.0.255=a']);
    await bench.json(readLink);
    await run();
    expect(await bench.failure(readLink)).toMatchObject({ status: 1, code: 'LINE_HELD', fault: 'config' });
    await bench.json(['read', 'house2', '3:1.0.1.8.0.255']);
  });

  test('commands: list, show, cancel, drop', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench);
    expect((await bench.run(['commands'])).stdout).toBe('No commands.\n');
    await run();
    await read(bench);
    const [command] = await commandsOf(bench);
    const id = String(command?.id);
    expect((await bench.run(['commands'])).stdout).toMatch(/^ID +STATE +METER +VERB/);
    expect(await bench.json(['commands', 'show', id])).toMatchObject({
      state: 'done',
      error: null,
      result: { results: [{ point: POINTS[0] }, {}, {}] },
    });
    expect(await bench.run(['commands', 'cancel', id, '--json'])).toMatchObject({ status: 1 });
    expect(await bench.failure(['commands', 'drop', id])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['commands', 'drop', '--yes'])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['commands', 'show', '99'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    expect(await bench.json(['commands', 'drop', id, '--yes'])).toEqual({ dropped: 1 });
    expect(await bench.json(['commands', 'drop', '--all', '--yes'])).toEqual({ dropped: 0 });
    expect(await bench.failure(['read', 'nobody', '1.0.1.8.0.255'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
  });
});

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString();
}

function read(bench: Bench): Promise<ReadReport> {
  return bench.json<ReadReport>(['read', 'house1', ...POINTS]);
}

/** What differs from one second to the next, or with what is known already, made equal. */
function settled(output: string): string {
  return output
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)/g, 'TIME')
    .replace(/"(durationMs|roundTrips|bytesSent|bytesReceived|driftSeconds)":-?[\d.]+/g, '"$1":0')
    .replace(/[\d.]+ s (?:behind|ahead of)/g, '0 s off');
}
