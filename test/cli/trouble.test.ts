/** Bad input from meters and lines: each has a code, a fault and a hint of its own, and leaves everything else working. */
import { describe, expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { newBench } from '../support/cli.ts';
import {
  addMeter,
  DEFAULT_KEYS,
  eventualStatus,
  init,
  meterOf,
  ownMeters,
  simulateThingsBoard,
  TOKEN,
  valuesOf,
} from '../support/scene.ts';
import { TROUBLES } from '../support/troubles.ts';

describe.concurrent('read says whose fault it is', () => {
  test.for(TROUBLES)('$what', async ({ link, flags = [], code, fault }, { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const failure = await bench.failure(['read', await link(bench), '3:1.0.1.8.0.255', ...flags]);
    expect(failure).toMatchObject({
      status: 1,
      code: expect.stringMatching(code),
      ...(fault === '' ? {} : { fault }),
      hint: expect.stringMatching(/./),
    });
  });
});

describe.concurrent('the daemon among all of them', { timeout: 180_000 }, () => {
  test('names each, and reads the meters that are well as if they were alone', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    // One of each kind.
    const troubles = [...new Map([...TROUBLES].reverse().map((trouble) => [String(trouble.code), trouble])).values()];
    const double = await simulateThingsBoard(bench);
    const { virtual, links } = await ownMeters(bench, { count: 2 });
    await init(bench, double.url);
    for (const [index, link] of links.entries()) await addMeter(bench, `well${index}`, link);
    for (const { what, link, flags = [] } of troubles) await addMeter(bench, what, await link(bench), flags);
    const daemon = bench.start(['run', '--json', '--log-level', 'debug']);
    const report = await eventualStatus(
      bench,
      'every trouble shows and the meters that are well go on',
      (now) =>
        troubles.every(({ what }) => meterOf(now, what).failures > 0) &&
        links.every((_, index) => meterOf(now, `well${index}`).cycles > 10),
      { withinMs: 30_000 },
    );
    for (const { what, code, fault } of troubles) {
      const meter = meterOf(report, what);
      expect({ what, ...meter.error }).toMatchObject({
        what,
        code: expect.stringMatching(code),
        ...(fault === '' ? {} : { fault }),
        hint: expect.stringMatching(/./),
      });
      expect({ what, state: meter.state, cycles: meter.cycles }).toEqual({ what, state: 'error', cycles: 0 });
    }
    const { status, stdout } = await daemon.stop();
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ publishRate: 1, drained: true });
    const received = await double.received();
    expect(Object.keys(received.devices)).toEqual(expect.arrayContaining(['well0', 'well1']));
    for (const [index, { said }] of virtual.truth().entries()) {
      const { lost, wrong } = compareWithTruth(said, valuesOf(received, `well${index}`), DEFAULT_KEYS);
      expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
      expect(meterOf(report, `well${index}`)).toMatchObject({ state: 'connected', failures: 0, error: null });
    }
    expect(daemon.stderr).not.toContain(TOKEN);
  });
});
