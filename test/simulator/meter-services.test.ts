import { describe, expect, test } from 'vitest';
import { ByteWriter, concat, fromHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, parseDateTime, utcOf } from '../../src/dlms/axdr/date-time.ts';
import { encodeLength } from '../../src/dlms/axdr/length.ts';
import { decodeObjectList } from '../../src/dlms/cosem/object-list.ts';
import { encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { MeterModel } from '../../src/simulator/meter/meter-model.ts';
import { SecureClient, type SecureOptions } from './meter-secure-client.ts';
import { attribute, model, NOW } from './meter-support.ts';

const CLOCK = '8:0.0.1.0.0.255';
const NOTES = '1:0.0.96.50.0.255';
const RELAY = '70:0.0.96.3.10.255';
const ENERGY = '3:1.0.1.8.0.255';
const DAY = 86_400_000;

function connected(options: SecureOptions = {}, meter: MeterModel = model()): SecureClient {
  return new SecureClient(meter, options).associate();
}

function octets(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}

function timeData(utc: number, deviation = 0): Data {
  return octets(dateTimeBytes(cosemDateTimeOf(utc, deviation)));
}

function setOne(client: SecureClient, text: string, value: Data): number {
  const response = client.set({ type: 'normal', attribute: attribute(text), accessSelection: null, value });
  return response.type === 'normal' ? response.result.code : -1;
}

function clockOf(client: SecureClient): number | null {
  const data = client.data(CLOCK);
  return data.type === 'octet-string' ? utcOf(parseDateTime(data.value)) : null;
}

function resultOf(client: SecureClient, text: string, parameters: Data | null = null): number {
  const response = client.call(text, parameters);
  return response.type === 'normal' ? response.result.code : -1;
}

/** Cuts octets into blocks, and gives the last response. */
function inBlocks<R>(
  whole: Uint8Array,
  size: number,
  send: (block: ReturnType<typeof blockOf>, index: number) => R,
): R[] {
  const count = Math.max(1, Math.ceil(whole.length / size));
  return Array.from({ length: count }, (_, index) => send(blockOf(whole, size, index, index === count - 1), index));
}

function blockOf(whole: Uint8Array, size: number, index: number, lastBlock: boolean) {
  return { lastBlock, blockNumber: index + 1, rawData: whole.slice(index * size, (index + 1) * size) };
}

function listBytes(values: readonly Data[]): Uint8Array {
  const writer = new ByteWriter();
  encodeLength(writer, values.length);
  return concat([writer.finish(), ...values.map(dataBytes)]);
}

const LONG = Uint8Array.from({ length: 5000 }, (_, index) => index % 251);

describe('SET', () => {
  test('of the clock is seen by all, in the clock alone', () => {
    const meter = model();
    const client = connected({}, meter);
    const other = connected({ client: 1 }, meter);
    const before = client.data(ENERGY);
    expect(setOne(client, CLOCK, timeData(NOW + DAY))).toBe(0);
    expect(clockOf(other)).toBe(NOW + DAY);
    other.now = NOW + 5000;
    expect(clockOf(other)).toBe(NOW + DAY + 5000);
    expect(client.data(ENERGY)).toEqual(before);
  });

  test('of the clock takes local time without a deviation, and no wildcards', () => {
    const client = connected();
    const local = cosemDateTimeOf(NOW, -60);
    expect(setOne(client, CLOCK, octets(dateTimeBytes({ ...local, deviation: null, hour: 20 })))).toBe(0);
    expect(clockOf(client)).toBe(Date.UTC(2026, 5, 15, 19, 30));
    expect(setOne(client, CLOCK, { type: 'date-time', value: cosemDateTimeOf(NOW, 120) })).toBe(0);
    expect(clockOf(client)).toBe(NOW);
    expect(setOne(client, CLOCK, octets(dateTimeBytes({ ...local, hour: null })))).toBe(250);
    expect(setOne(client, CLOCK, octets(new Uint8Array(3)))).toBe(12);
    expect(clockOf(client)).toBe(NOW);
  });

  test('begins from a clock that is wrong, if so wished', () => {
    expect(clockOf(connected({}, model({ clockOffset: -90_000 })))).toBe(NOW - 90_000);
  });

  test('is refused for what cannot be written', () => {
    const client = connected();
    expect(setOne(client, ENERGY, { type: 'double-long-unsigned', value: 1 })).toBe(3);
    expect(setOne(client, '3:9.9.9.9.9.255', { type: 'null-data' })).toBe(4);
    expect(setOne(client, `${NOTES}:3`, octets(LONG.subarray(0, 9)))).toBe(4);
    expect(setOne(client, '3:0.0.96.50.0.255', octets(LONG.subarray(0, 9)))).toBe(9);
    expect(setOne(client, NOTES, { type: 'unsigned', value: 1 })).toBe(12);
    const restricted = connected({ client: 16 }, model({ authentication: 'low' }));
    expect(setOne(restricted, CLOCK, timeData(NOW))).toBe(3);
  });

  test('of a list writes what it can', () => {
    const client = connected();
    const texts = [NOTES, ENERGY, CLOCK];
    const response = client.set({
      type: 'with-list',
      attributes: texts.map((text) => ({ ...attribute(text), accessSelection: null })),
      values: [octets(LONG.subarray(0, 100)), { type: 'null-data' }, timeData(NOW + 60_000)],
    });
    expect(response).toMatchObject({ type: 'with-list', results: [{ code: 0 }, { code: 3 }, { code: 0 }] });
    expect(client.data(NOTES)).toEqual(octets(LONG.subarray(0, 100)));
    expect(clockOf(client)).toBe(NOW + 60_000);
  });

  test('in blocks writes thousands of octets', () => {
    const client = connected({ maxPdu: 0 }, model({ maxPdu: 8000 }));
    const whole = dataBytes(octets(LONG));
    const answers = inBlocks(whole, 400, (block, index) =>
      client.set(
        index === 0
          ? { type: 'with-first-datablock', attribute: attribute(NOTES), accessSelection: null, ...block }
          : { type: 'with-datablock', ...block },
      ),
    );
    expect(answers.slice(0, 2)).toMatchObject([
      { type: 'datablock', blockNumber: 1 },
      { type: 'datablock', blockNumber: 2 },
    ]);
    expect(answers.at(-1)).toMatchObject({ type: 'last-datablock', result: { code: 0 }, blockNumber: 13 });
    expect(client.data(NOTES)).toEqual(octets(LONG));
  });

  test('in blocks takes a list, and a single block', () => {
    const client = connected();
    const attributes = [NOTES, CLOCK].map((text) => ({ ...attribute(text), accessSelection: null }));
    const whole = listBytes([octets(LONG.subarray(0, 300)), timeData(NOW + 1000)]);
    const answers = inBlocks(whole, 100, (block, index) =>
      client.set(
        index === 0
          ? { type: 'with-list-and-first-datablock', attributes, ...block }
          : { type: 'with-datablock', ...block },
      ),
    );
    expect(answers.at(-1)).toMatchObject({ type: 'last-datablock-with-list', results: [{ code: 0 }, { code: 0 }] });
    expect(clockOf(client)).toBe(NOW + 1000);
    const block = blockOf(dataBytes(octets(LONG.subarray(0, 9))), 100, 0, true);
    const only = client.set({
      type: 'with-first-datablock',
      attribute: attribute(NOTES),
      accessSelection: null,
      ...block,
    });
    expect(only).toMatchObject({ type: 'last-datablock', result: { code: 0 }, blockNumber: 1 });
    expect(client.data(NOTES)).toEqual(octets(LONG.subarray(0, 9)));
  });

  test('in blocks is broken off by a wrong number, and by what is no value', () => {
    const client = connected();
    const first = { type: 'with-first-datablock', attribute: attribute(NOTES), accessSelection: null } as const;
    const begin = () => client.set({ ...first, lastBlock: false, blockNumber: 1, rawData: fromHex('0903aa') });
    begin();
    expect(
      client.set({ type: 'with-datablock', lastBlock: true, blockNumber: 3, rawData: fromHex('bb') }),
    ).toMatchObject({ type: 'last-datablock', result: { code: 19 } });
    const second = { type: 'with-datablock', lastBlock: true, blockNumber: 2 } as const;
    expect(client.set({ ...second, rawData: fromHex('bbcc') })).toMatchObject({ result: { code: 18 } });
    begin();
    expect(client.set({ ...second, rawData: fromHex('bb') })).toMatchObject({ result: { code: 250 } });
    begin();
    expect(client.set({ ...second, rawData: fromHex('bbcc') })).toMatchObject({ result: { code: 0 } });
    expect(client.data(NOTES)).toEqual(octets(fromHex('aabbcc')));
  });

  test('too long is refused', () => {
    const client = connected({}, model({ maxPdu: 30_000 }));
    expect(setOne(client, NOTES, octets(new Uint8Array(8193)))).toBe(250);
    const blocks = Array.from({ length: 4 }, (_, index) =>
      client.set(
        index === 0
          ? {
              type: 'with-first-datablock',
              attribute: attribute(NOTES),
              accessSelection: null,
              lastBlock: false,
              blockNumber: 1,
              rawData: new Uint8Array(20_000),
            }
          : { type: 'with-datablock', lastBlock: false, blockNumber: index + 1, rawData: new Uint8Array(20_000) },
      ),
    );
    expect(blocks.at(-1)).toMatchObject({ type: 'last-datablock', result: { code: 17 } });
  });

  test('unconfirmed is done without a word', () => {
    const client = connected();
    const request = encodeApdu({
      apdu: 'set-request',
      type: 'normal',
      invokeIdAndPriority: invokeIdAndPriority(1, 'unconfirmed'),
      attribute: attribute(NOTES),
      accessSelection: null,
      value: octets(fromHex('0102')),
    });
    expect(client.server.receive(request, NOW).apdu).toBeNull();
    expect(client.data(NOTES)).toEqual(octets(fromHex('0102')));
  });

  test('works ciphered, in blocks', () => {
    const meter = model({ security: { security: 'both' } });
    const client = connected({ policy: 'both', dedicatedKey: fromHex('0f'.repeat(16)) }, meter);
    inBlocks(dataBytes(octets(LONG)), 500, (block, index) =>
      client.set(
        index === 0
          ? { type: 'with-first-datablock', attribute: attribute(NOTES), accessSelection: null, ...block }
          : { type: 'with-datablock', ...block },
      ),
    );
    expect(meter.state.notes).toEqual(LONG);
  });
});

describe('ACTION', () => {
  const state = (client: SecureClient) => [client.data(`${RELAY}:2`), client.data(`${RELAY}:3`)];

  test('disconnects and reconnects', () => {
    const client = connected();
    const on = [
      { type: 'boolean', value: true },
      { type: 'enum', value: 1 },
    ];
    const off = [
      { type: 'boolean', value: false },
      { type: 'enum', value: 0 },
    ];
    expect(state(client)).toEqual(on);
    expect(resultOf(client, `${RELAY}:1`, { type: 'integer', value: 0 })).toBe(0);
    expect(state(client)).toEqual(off);
    expect(resultOf(client, `${RELAY}:2`, { type: 'integer', value: 0 })).toBe(0);
    expect(state(client)).toEqual(on);
    expect(client.data(`${RELAY}:4`)).toEqual({ type: 'enum', value: 4 });
  });

  test('resets counters, which count on from zero', () => {
    const meter = model();
    const client = connected({}, meter);
    const reader = connected({ client: 1 }, meter);
    const number = () => Number((reader.data(ENERGY) as { value: number }).value);
    const fine = () => (reader.data('3:1.0.15.8.0.255') as { value: bigint }).value;
    const before = number();
    expect(resultOf(client, `${ENERGY}:1`, { type: 'integer', value: 0 })).toBe(0);
    expect(resultOf(client, '3:1.0.15.8.0.255:1')).toBe(0);
    expect([number(), fine()]).toEqual([0, 0n]);
    reader.now = NOW + DAY;
    expect(number()).toBeGreaterThan(100);
    expect(number()).toBeLessThan(before);
    expect(resultOf(client, '3:1.0.32.7.0.255:1')).toBe(3);
  });

  test('resets the maximum demand', () => {
    const client = connected();
    const demand = () => client.data('4:1.0.1.6.0.255');
    expect(demand()).not.toEqual({ type: 'double-long-unsigned', value: 0 });
    expect(resultOf(client, '4:1.0.1.6.0.255:1')).toBe(0);
    expect(demand()).toEqual({ type: 'double-long-unsigned', value: 0 });
    client.now = NOW + 2 * 900_000;
    expect(demand()).not.toEqual({ type: 'double-long-unsigned', value: 0 });
  });

  test('adjusts the clock', () => {
    const client = connected({}, model({ clockOffset: 100_000 }));
    expect(resultOf(client, `${CLOCK}:6`, { type: 'long', value: -90 })).toBe(0);
    expect(clockOf(client)).toBe(NOW + 10_000);
    expect(resultOf(client, `${CLOCK}:3`, { type: 'integer', value: 0 })).toBe(0);
    expect(clockOf(client)).toBe(NOW);
    client.now = NOW + 8 * 60_000;
    expect(resultOf(client, `${CLOCK}:1`, { type: 'integer', value: 0 })).toBe(0);
    expect(clockOf(client)).toBe(NOW + 15 * 60_000);
    expect(resultOf(client, `${CLOCK}:6`, { type: 'long', value: 901 })).toBe(250);
    expect(resultOf(client, `${CLOCK}:6`, { type: 'integer', value: 1 })).toBe(12);
  });

  test('is refused for what cannot be called', () => {
    const client = connected();
    expect(resultOf(client, '15:0.0.40.0.0.255:1', octets(LONG.subarray(0, 8)))).toBe(3);
    expect(resultOf(client, `${RELAY}:3`)).toBe(4);
    expect(resultOf(client, '70:9.9.9.9.9.255:1')).toBe(4);
    expect(resultOf(client, '71:0.0.96.3.10.255:1')).toBe(9);
  });

  test('of a list, in blocks too', () => {
    const client = connected();
    const methods = [`${RELAY}:1`, `${RELAY}:7`, `${CLOCK}:6`].map((text) => {
      const { classId, instanceId, attributeId: methodId } = attribute(text);
      return { classId, instanceId, methodId };
    });
    const parameters: Data[] = [{ type: 'integer', value: 0 }, { type: 'null-data' }, { type: 'long', value: 60 }];
    const results = [{ code: 0 }, { code: 4 }, { code: 0 }].map((result) => ({ result, returnParameters: null }));
    const whole = client.action({ type: 'with-list', methods, parameters });
    expect(whole).toMatchObject({ type: 'with-list', results });
    const answers = inBlocks(listBytes(parameters), 4, (block, index) =>
      client.action(
        index === 0 ? { type: 'with-list-and-first-pblock', methods, ...block } : { type: 'with-pblock', ...block },
      ),
    );
    expect(answers[0]).toMatchObject({ type: 'next-pblock', blockNumber: 1 });
    expect(answers.at(-1)).toMatchObject({ type: 'with-list', results });
    expect(clockOf(client)).toBe(NOW + 120_000);
  });

  test('takes parameters in blocks, in order', () => {
    const client = connected();
    const method = { classId: 8, instanceId: '0.0.1.0.0.255', methodId: 6 };
    const begin = () =>
      client.action({ type: 'with-first-pblock', method, lastBlock: false, blockNumber: 1, rawData: fromHex('1000') });
    expect(begin()).toMatchObject({ type: 'next-pblock', blockNumber: 1 });
    const last = { type: 'with-pblock', lastBlock: true, rawData: fromHex('3c') } as const;
    expect(client.action({ ...last, blockNumber: 2 })).toMatchObject({ type: 'normal', result: { code: 0 } });
    expect(clockOf(client)).toBe(NOW + 60_000);
    expect(client.action({ ...last, blockNumber: 2 })).toMatchObject({ type: 'normal', result: { code: 16 } });
    begin();
    expect(client.action({ ...last, blockNumber: 5 })).toMatchObject({ type: 'normal', result: { code: 15 } });
    expect(client.action({ type: 'next-pblock', blockNumber: 1 })).toMatchObject({ result: { code: 16 } });
    expect(clockOf(client)).toBe(NOW + 60_000);
  });
});

describe('the object list', () => {
  const rights = (client: SecureClient, obis: string) =>
    decodeObjectList(client.data('15:0.0.40.0.0.255:2')).find((object) => object.obis === obis);

  test('tells what may be written and called', () => {
    const client = connected({}, model({ maxPdu: 20_000 }));
    expect(rights(client, '0.0.1.0.0.255')).toMatchObject({
      attributes: [{ access: 'read-only' }, { access: 'read-and-write' }, ...Array(7).fill({ access: 'read-only' })],
      methods: ['access', 'no-access', 'access', 'no-access', 'no-access', 'access'].map((access, index) => ({
        id: index + 1,
        access,
      })),
    });
    expect(rights(client, '1.0.1.8.0.255')?.methods).toEqual([{ id: 1, access: 'access' }]);
    expect(rights(client, '1.0.32.7.0.255')?.methods).toEqual([{ id: 1, access: 'no-access' }]);
    expect(rights(client, '0.0.96.50.0.255')?.attributes[1]).toEqual({ id: 2, access: 'read-and-write' });
  });

  test('allows the restricted public client nothing of that', () => {
    const client = connected({ client: 16 }, model({ authentication: 'low' }));
    expect(rights(client, '0.0.1.0.0.255')?.attributes[1]).toEqual({ id: 2, access: 'read-only' });
    expect(rights(client, '0.0.1.0.0.255')?.methods[0]).toEqual({ id: 1, access: 'no-access' });
  });
});
