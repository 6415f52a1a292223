/** One line's trouble is its own: counted in cycles of the others, not in time. */
import { describe, expect, test } from 'vitest';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { documentOf, newBench } from '../support/cli.ts';
import {
  addMeter,
  DEFAULT_KEYS,
  eventualStatus,
  init,
  meterOf,
  ownMeters,
  type RunReport,
  simulateThingsBoard,
  valuesOf,
} from '../support/scene.ts';

const PATIENT = ['--timeout', '120000'];
const OFTEN = ['--interval', '0.2'];
const MANY = 20;

describe.concurrent('lines', { timeout: 180_000 }, () => {
  test('dead and slow meters do not delay those on other lines', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const [double, well, silent, silentHdlc, slow] = await Promise.all([
      simulateThingsBoard(bench),
      ownMeters(bench, { count: 2 }),
      ownMeters(bench, { faults: ['silent'] }),
      ownMeters(bench, { framing: 'hdlc', faults: ['silent'] }),
      ownMeters(bench, { faults: ['slow:1500'] }),
    ]);
    await init(bench, double.url);
    // The dead ones are asked first and hold their lines for longer than the test lasts.
    await addMeter(bench, 'dead', silent.links[0] ?? '', [...OFTEN, ...PATIENT]);
    await addMeter(bench, 'dead-hdlc', silentHdlc.links[0] ?? '', [...OFTEN, ...PATIENT]);
    await addMeter(bench, 'slow', slow.links[0] ?? '', [...OFTEN, ...PATIENT]);
    for (const [index, link] of well.links.entries()) await addMeter(bench, `well${index}`, link, OFTEN);
    const daemon = bench.start(['run', '--json']);
    const report = await eventualStatus(
      bench,
      'the slow one is read, and the others many times',
      (now) =>
        meterOf(now, 'slow').cycles > 0 && meterOf(now, 'well0').cycles > MANY && meterOf(now, 'well1').cycles > MANY,
    );
    // Not one of their cycles has ended: whoever stood behind them would still wait.
    expect(meterOf(report, 'dead')).toMatchObject({ cycles: 0, failures: 0 });
    expect(meterOf(report, 'dead-hdlc')).toMatchObject({ cycles: 0, failures: 0 });
    expect(
      report.lines.map(({ status }) => status).filter((status) => status === 'busy').length,
    ).toBeGreaterThanOrEqual(2);
    expect(meterOf(report, 'well0').cycles).toBeGreaterThan(4 * meterOf(report, 'slow').cycles);
    // It does not wait for the dead ones either when it is asked to end.
    const finished = documentOf<RunReport>(await daemon.stop());
    expect(finished).toMatchObject({ drained: true, publishRate: 1 });
    const received = await double.received();
    for (const [index, { said }] of well.virtual.truth().entries()) {
      const { lost, wrong } = compareWithTruth(said, valuesOf(received, `well${index}`), DEFAULT_KEYS);
      expect({ lost, wrong }).toEqual({ lost: [], wrong: [] });
    }
  });

  test('on one line a meter that is missing leaves the others their turns', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { count: 2, framing: 'hdlc', metersPerPort: 2 });
    const link = links[0] ?? '';
    await init(bench, 'mqtt://127.0.0.1:1');
    await addMeter(bench, 'missing', link, ['--physical', '99', '--timeout', '100']);
    await addMeter(bench, 'first', link, ['--physical', '17']);
    await addMeter(bench, 'second', link, ['--physical', '18']);
    const daemon = bench.start(['run']);
    const report = await eventualStatus(
      bench,
      'the others are read while one is missing',
      (now) =>
        meterOf(now, 'missing').failures > 1 && meterOf(now, 'first').cycles > 5 && meterOf(now, 'second').cycles > 5,
    );
    expect(meterOf(report, 'missing').error).toMatchObject({ code: 'METER_TIMEOUT', fault: 'meter' });
    for (const name of ['first', 'second']) expect(meterOf(report, name)).toMatchObject({ failures: 0, error: null });
    expect(report.lines).toHaveLength(1);
    await daemon.kill();
  });

  test('a meter that spoils some of its frames is read all the same, and says nothing wrong', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const faults = ['truncate:0.1', 'corrupt-crc:0.1', 'drop-association:7'];
    const [wrapper, hdlc] = await Promise.all([
      ownMeters(bench, { faults }),
      ownMeters(bench, { framing: 'hdlc', faults }),
    ]);
    await init(bench, double.url);
    await addMeter(bench, 'wrapper', wrapper.links[0] ?? '', [...OFTEN, '--timeout', '100']);
    await addMeter(bench, 'hdlc', hdlc.links[0] ?? '', [...OFTEN, '--timeout', '100']);
    const daemon = bench.start(['run', '--json']);
    await eventualStatus(bench, 'both are read', ({ meters }) => meters.every(({ cycles }) => cycles > 10));
    expect(documentOf<RunReport>(await daemon.stop())).toMatchObject({ drained: true, publishRate: 1 });
    const received = await double.received();
    for (const [name, { virtual }] of Object.entries({ wrapper, hdlc })) {
      const said = virtual.truth()[0]?.said ?? [];
      expect(compareWithTruth(said, valuesOf(received, name), DEFAULT_KEYS)).toMatchObject({ wrong: [] });
    }
  });
});
