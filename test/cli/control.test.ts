/** `set`, `call`, `clock` and `relay` of virtual meters, and what goes wrong with them. */
import { describe, expect, test } from 'vitest';
import { type Bench, newBench } from '../support/cli.ts';
import { ownMeters, PASSWORD } from '../support/scene.ts';

const NOTES = '1:0.0.96.50.0.255';
const CLIENT = ['--client', '1'];

interface Controlled {
  readonly link: string;
  json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T>;
  /** Exit status and code. */
  failure(...args: readonly string[]): Promise<string>;
}

async function meterOn(bench: Bench, flags: readonly string[] = CLIENT, options = {}): Promise<Controlled> {
  const { links } = await ownMeters(bench, options);
  const link = links[0] ?? '';
  const withLink = ([verb = '', ...args]: readonly string[]): readonly string[] => [verb, link, ...args, ...flags];
  return {
    link,
    json: (...args) => bench.json(withLink(args)),
    async failure(...args) {
      const { status, code } = await bench.failure(withLink(args));
      return `${status} ${code}`;
    },
  };
}

describe.concurrent('controlling a meter', () => {
  test('set: with a type, with the type that it has, and read back when asked', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const meter = await meterOn(bench);
    expect(await meter.json('set', NOTES, 'octet-string:0a0b')).toEqual({
      meter: meter.link,
      point: NOTES,
      obis: '0.0.96.50.0.255',
      classId: 1,
      attribute: 2,
      value: { type: 'octet-string', value: '0a0b' },
      result: 'success',
    });
    const raw = { type: 'octet-string', value: '68656c6c6f' };
    expect(await meter.json('set', '0.0.96.50.0.255', '"hello"', '--read-back')).toMatchObject({
      classId: 1,
      value: raw,
      readBack: raw,
    });
    const read = await meter.json<{ results: { value: string }[] }>('read', NOTES);
    expect(read.results[0]?.value).toBe('hello');
    const clock = await meter.json('set', '8:0.0.1.0.0.255', '2026-01-31T12:00:00+01:00');
    expect(clock).toMatchObject({ value: { type: 'octet-string', value: '07ea011f060c000000ffc400' } });
  });

  test('set: what goes wrong', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const meter = await meterOn(bench);
    expect(await meter.failure('set', '3:1.0.1.8.0.255', 'unsigned:5')).toBe('1 DATA_ACCESS_READ_WRITE_DENIED');
    expect(await meter.failure('set', NOTES, 'unsigned:5')).toBe('1 DATA_ACCESS_TYPE_UNMATCHED');
    expect(await meter.failure('set', '9.9.9.9.9.9', 'unsigned:5')).toBe('1 DATA_ACCESS_OBJECT_UNDEFINED');
    expect(await meter.failure('set', '1:9.9.9.9.9.9', '5')).toBe('1 DATA_ACCESS_OBJECT_UNDEFINED');
    expect(await meter.failure('set', '3:1.0.1.8.0.255', 'many')).toBe('2 INVALID_VALUE');
    expect(await meter.failure('set', NOTES, 'unsigned:256')).toBe('2 INVALID_VALUE');
    expect(await meter.failure('set', 'nonsense', '5')).toBe('2 INVALID_POINT');
    expect(await meter.failure('set', NOTES)).toBe('2 USAGE');
  });

  test('call: with and without argument, with a value that comes back', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const meter = await meterOn(bench);
    expect(await meter.json('call', '8:0.0.1.0.0.255:6', 'long:60')).toEqual({
      meter: meter.link,
      point: '8:0.0.1.0.0.255:6',
      obis: '0.0.1.0.0.255',
      classId: 8,
      method: 6,
      name: 'shift_time',
      result: 'success',
      value: null,
      raw: null,
    });
    expect(await meter.json('call', '0.0.96.3.10.255:1')).toMatchObject({ classId: 70, name: 'remote_disconnect' });
    const entry = (type: string, value: number) => ({ type, value });
    const descriptor = [
      entry('double-long-unsigned', 1),
      entry('double-long-unsigned', 1),
      entry('long-unsigned', 3),
      entry('long-unsigned', 3),
    ];
    const called = await meter.json('call', '7:1.0.98.1.0.255:4', `structure:${JSON.stringify(descriptor)}`);
    expect(called).toMatchObject({ value: [[expect.any(Number)]], raw: { type: 'array' } });
    expect(await meter.failure('call', '8:0.0.1.0.0.255:6', 'long:5000')).toBe('1 DATA_ACCESS_OTHER_REASON');
    expect(await meter.failure('call', '8:0.0.1.0.0.255:6', 'none')).toBe('1 DATA_ACCESS_TYPE_UNMATCHED');
    expect(await meter.failure('call', '70:0.0.96.3.10.255:9')).toBe('1 DATA_ACCESS_OBJECT_UNDEFINED');
    expect(await meter.failure('call', '8:0.0.1.0.0.255:6', '60')).toBe('2 INVALID_VALUE');
    expect(await meter.failure('call', '70:0.0.96.3.10.255')).toBe('2 INVALID_POINT');
  });

  test('clock: how far it is off, and setting it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const meter = await meterOn(bench);
    await meter.json('call', '8:0.0.1.0.0.255:6', 'long:90');
    const off = await meter.json<{ driftSeconds: number; utc: string; hostTime: string; time: string }>(
      'clock',
      '--set',
    );
    expect(Object.keys(off)).toEqual([
      'meter',
      'time',
      'utc',
      'hostTime',
      'driftSeconds',
      'deviation',
      'clockStatus',
      'set',
    ]);
    expect(off).toMatchObject({
      deviation: -60,
      clockStatus: { invalid: false },
      set: expect.stringMatching(/\+01:00$/),
    });
    expect(off.driftSeconds).toBeGreaterThan(88);
    expect(off.driftSeconds).toBeLessThan(92);
    expect(off.driftSeconds).toBeCloseTo((Date.parse(off.utc) - Date.parse(off.hostTime)) / 1000, 1);
    expect(Date.parse(off.time)).toBe(Date.parse(off.utc));
    const right = await meter.json<{ driftSeconds: number; set: null }>('clock');
    expect(Math.abs(right.driftSeconds)).toBeLessThan(2);
    expect(right.set).toBeNull();
    expect((await bench.run(['clock', meter.link, ...CLIENT])).stdout).toMatch(
      /^The meter says \d{4}-\S+\+01:00: [\d.]+ s (?:behind|ahead of) this host\.\n$/,
    );
  });

  test('relay: its state, disconnecting and connecting it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const meter = await meterOn(bench, [...CLIENT, '--auth', 'low', '--secret', PASSWORD], {
      auth: 'low',
      password: PASSWORD,
    });
    const on = { meter: meter.link, outputState: true, controlState: 'connected', controlMode: 4 };
    expect(await meter.json('relay')).toEqual(on);
    expect(await meter.json('relay', '--disconnect')).toEqual({
      meter: meter.link,
      action: 'disconnect',
      result: 'success',
    });
    expect(await meter.json('relay')).toMatchObject({ outputState: false, controlState: 'disconnected' });
    expect(await meter.json('relay', '--connect')).toMatchObject({ action: 'connect', result: 'success' });
    expect(await meter.json('relay')).toEqual(on);
    expect(await meter.failure('relay', '--connect', '--disconnect')).toBe('2 USAGE');
    // The public client sees neither the relay nor may it switch it.
    const asPublic = await bench.failure(['relay', meter.link, '--disconnect']);
    expect(asPublic).toMatchObject({ status: 1, code: 'DATA_ACCESS_READ_WRITE_DENIED', fault: 'credentials' });
    expect(await meter.json('relay')).toEqual(on);
  });
});
