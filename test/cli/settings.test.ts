/** Settings of the bridge as an operator changes them, and a daemon that follows. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { addMeter, eventualStatus, init, ownMeters } from '../support/scene.ts';

interface Shown {
  readonly settings: readonly { readonly name: string; readonly value: unknown; readonly applies: string }[];
}

describe.concurrent('settings', { timeout: 120_000 }, () => {
  test('are listed, set, refused and set back; a secret is never shown', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    const listed = await bench.json<Shown>(['settings']);
    expect(listed.settings.find(({ name }) => name === 'alertPublishRateBelow')).toEqual({
      name: 'alertPublishRateBelow',
      value: 50,
      default: 50,
      takes: '1 to 99 %',
      applies: 'live',
      about: expect.any(String),
    });
    expect(await bench.json(['settings', 'set', 'alertPublishRateBelow', '30'])).toMatchObject({
      value: 30,
      result: 'changed',
    });
    const hook = 'https://hooks.example/hidden-in-the-path';
    const set = await bench.run(['settings', 'set', 'alertWebhook', 'env:HOOK', '--json'], { env: { HOOK: hook } });
    const text = await bench.run(['settings', 'list']);
    for (const { stdout, stderr } of [set, text]) {
      expect(stdout).toContain('(set)');
      expect(stdout + stderr).not.toContain('hidden-in-the-path');
    }
    expect(await bench.json(['settings', 'reset', 'alertPublishRateBelow'])).toMatchObject({ value: 50 });
    for (const args of [
      ['nothing', '1'],
      ['alertPublishRateBelow', '100'],
      ['logLevel', 'loud'],
      ['alertWebhook', 'hidden-in-the-path'],
    ]) {
      const failure = await bench.failure(['settings', 'set', ...args]);
      expect(failure).toMatchObject({ status: 2, code: 'INVALID_VALUE' });
      expect(JSON.stringify(failure)).not.toContain('hidden-in-the-path');
    }
  });

  test('a running daemon takes log levels up at once and says what waits for its next start', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { count: 1 });
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'm', links[0] ?? '');
    const daemon = bench.start(['run']);
    await eventualStatus(bench, 'it is read', ({ meters }) => meters.every(({ cycles }) => cycles > 1));
    const debugOfPolling = /"level":20,[^\n]*"room":"polling"/;
    expect(daemon.stdout).not.toMatch(debugOfPolling);
    await bench.json(['settings', 'set', 'logRooms', 'polling=debug']);
    await bench.json(['settings', 'set', 'connecting', '3']);
    await eventualStatus(
      bench,
      'it says what waits',
      ({ daemon: { restartRequired } }) => restartRequired.join() === 'connecting',
    );
    await eventually('polling is logged in detail', () => debugOfPolling.test(daemon.stdout) || null);
    expect(daemon.stdout).not.toMatch(/"level":20,[^\n]*"room":"thingsboard"/);
  });
});
