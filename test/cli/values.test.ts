/** Values at the edges of what ThingsBoard takes, on their way through the whole program. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { mosquittoInstalled, startMosquitto } from '../support/mosquitto.ts';
import { relayTo } from '../support/relay.ts';
import { eventualStatus, init, meterOf, ownMeters, simulateThingsBoard } from '../support/scene.ts';
import { Arrived, subscribe } from '../support/subscriber.ts';

/** The 64-bit register of the virtual meters, in mWh. */
const FINE_ENERGY = '3:1.0.15.8.0.255';
const POINTS = `${FINE_ENERGY}=fine,3:1.0.1.8.0.255=energy,3:1.0.99.99.0.255=unknown,1:0.0.96.1.0.255=serial,8:0.0.1.0.0.255=clock`;

/** Makes another meter of a virtual one: what it says of its 64-bit register is changed under way. */
function withRegister(value: bigint, scaler: number): (octets: Buffer) => Buffer {
  return (octets) => {
    const copy = Buffer.from(octets);
    // long64-unsigned: tag 0x15 and eight octets, which begin with 00 20 in the meter's own value (9.007e15).
    const at = copy.indexOf(Buffer.from('150020', 'hex'));
    if (at >= 0) copy.writeBigUInt64BE(value, at + 1);
    // scaler_unit of the register: { integer -3, enum Wh }.
    const scalerAt = copy.indexOf(Buffer.from('02020ffd161e', 'hex'));
    if (scalerAt >= 0) copy.writeInt8(scaler, scalerAt + 3);
    return copy;
  };
}

describe.concurrent('values', { timeout: 180_000 }, () => {
  test('beyond int64 as text, within it as a number with all its digits', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual } = await ownMeters(bench, { count: 3 });
    const registers = [2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n];
    await init(bench, double.url);
    for (const [index, value] of registers.entries()) {
      const relay = await relayTo(bench, virtual.addresses[index]?.port ?? 0, withRegister(value, 0));
      const link = `tcp://127.0.0.1:${relay.port}`;
      const document = await bench.json<{ results: { value: unknown; raw: unknown; scaler: number }[] }>([
        'read',
        link,
        FINE_ENERGY,
      ]);
      expect(document.results[0]).toMatchObject({ value: String(value), scaler: 0 });
      await bench.json(['meter', 'add', `house${index}`, link, '--interval', '0.5', '--points', `${FINE_ENERGY}=fine`]);
    }
    expect(await bench.run(['run', '--for', '2'])).toMatchObject({ status: 0 });
    const { devices } = await double.received();
    const got = registers.map((_, index) => {
      const point = devices[`house${index}`]?.telemetry.fine?.[0];
      return [point?.type, point?.value];
    });
    expect(got).toEqual([
      ['STRING', '18446744073709551615'],
      ['STRING', '9223372036854775808'],
      ['LONG', '9223372036854775807'],
    ]);
  });

  test('an unknown OBIS is an error of that point alone', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { links } = await ownMeters(bench);
    await init(bench, double.url);
    await bench.json([
      'meter',
      'add',
      'house0',
      links[0] ?? '',
      '--interval',
      '0.5',
      '--clock-drift',
      'off',
      '--points',
      POINTS,
    ]);
    const daemon = bench.start(['run', '--json']);
    const report = await eventualStatus(bench, 'it is read', (now) => meterOf(now, 'house0').cycles > 2);
    const meter = meterOf(report, 'house0');
    expect(meter).toMatchObject({ state: 'connected', failures: 0, error: null });
    expect(meter.pointErrors).toMatchObject([{ key: 'unknown', code: 'DATA_ACCESS_OBJECT_UNDEFINED' }]);
    expect((await daemon.stop()).status).toBe(0);
    const telemetry = (await double.received()).devices.house0?.telemetry ?? {};
    expect(Object.keys(telemetry).sort()).toEqual(['clock', 'energy', 'fine', 'serial']);
    // ThingsBoard would take the text of a serial number for a number: it is marked as text.
    expect(telemetry.serial?.[0]).toMatchObject({ type: 'STRING', value: expect.stringMatching(/^#\d{8}$/) });
  });

  test.skipIf(!mosquittoInstalled())(
    'on the wire every number is written in decimal, with all its digits',
    async ({ onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const broker = await startMosquitto();
      bench.atEnd(() => broker.stop());
      const { virtual, links } = await ownMeters(bench);
      await init(bench, broker.url);
      await bench.json([
        'meter',
        'add',
        'house0',
        links[0] ?? '',
        '--clock-drift',
        'off',
        '--interval',
        '0.3',
        '--points',
        `${FINE_ENERGY}=fine,3:1.0.32.7.0.255=voltage`,
      ]);
      const arrived = new Arrived();
      await subscribe(bench, broker.url, arrived);
      const daemon = bench.start(['run']);
      await eventually('readings arrive', () => arrived.readings.size > 10);
      await daemon.stop();
      // The exact texts of what the meter said, trailing zeros aside.
      const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
      const said = new Set(virtual.truth()[0]?.said.map(({ value }) => trimmed(value)));
      for (const { value } of arrived.readings.values()) expect(said).toContain(trimmed(String(value)));
    },
  );
});
