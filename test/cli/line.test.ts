import { describe, expect, test } from 'vitest';
import { DEFAULT_LINE_SETTINGS } from '../../src/transport/line-settings.ts';
import { newBench } from '../support/cli.ts';
import { addMeter, eventualStatus, init, meterOf, ownMeters } from '../support/scene.ts';

describe.concurrent('line', { timeout: 120_000 }, () => {
  test('settings are shown, edited, refused, reset', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'm', 'tcp+hdlc://10.0.0.7');
    const link = 'tcp+hdlc://10.0.0.7:4059';
    const plain = { link, meters: ['m'], settings: DEFAULT_LINE_SETTINGS };
    expect(await bench.json(['line', 'list'])).toEqual({ lines: [plain] });
    const flags =
      '--inter-frame 20 --turnaround 30 --echo on --idle-close 60000 --session release --sign-on-reaction 200';
    const edited = {
      ...plain,
      settings: {
        ...DEFAULT_LINE_SETTINGS,
        interFrameMs: 20,
        turnaroundMs: 30,
        echo: true,
        idleCloseMs: 60_000,
        session: 'release',
        signOnReactionMs: 200,
        wakeUp: '0000ff',
      },
    };
    expect(
      await bench.json(['line', 'edit', 'tcp+hdlc://10.0.0.7', ...flags.split(' '), '--wake-up', '00 00 FF']),
    ).toEqual(edited);
    expect(await bench.json(['line', 'show', link])).toEqual(edited);
    await bench.json(['line', 'edit', link, '--idle-close', 'never', '--sign-on-reaction', 'auto', '--wake-up', '']);
    expect(await bench.json(['line', 'show', link])).toMatchObject({
      settings: { idleCloseMs: null, signOnReactionMs: null, wakeUp: '', interFrameMs: 20 },
    });
    for (const [args, code] of [
      [[link, '--turnaround', '-5'], 'USAGE'],
      [[link, '--turnaround', '99999'], 'USAGE'],
      [[link, '--connect-timeout', 'never'], 'USAGE'],
      [[link, '--wake-up', 'xy'], 'USAGE'],
      [[link, '--echo', 'maybe'], 'USAGE'],
      [['tcp://10.0.0.8'], 'NOT_FOUND'],
    ] as const) {
      expect(await bench.failure(['line', 'edit', ...args])).toMatchObject({ status: 2, code });
    }
    expect(await bench.json(['line', 'edit', link, '--reset'])).toEqual(plain);
  });

  test('the daemon opens a line anew when it is edited, and its meters go on', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { count: 1 });
    const link = links[0] ?? '';
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'm', link);
    bench.start(['run']);
    await eventualStatus(bench, 'it is read', ({ meters }) => meters.every(({ cycles }) => cycles > 1));
    await bench.json(['line', 'edit', link, '--session', 'release', '--connect-delay', '50']);
    const released = await eventualStatus(bench, 'its connection stands no more between reads', ({ lines }) =>
      lines.some(({ state, connections }) => state === 'disconnected' && connections > 2),
    );
    expect(meterOf(released, 'm')).toMatchObject({ state: 'connected', failures: 0 });
  });
});
