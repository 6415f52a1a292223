import { afterEach, describe, expect, test } from 'vitest';
import { concat } from '../../src/core/bytes.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { decodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { DEFAULT_METER_SETTINGS } from '../../src/dlms/settings.ts';
import { decodeWrapper, WrapperClientLink } from '../../src/dlms/wrapper.ts';
import { systemClock, VirtualClock } from '../../src/runtime/clock.ts';
import { composeFaults, FAULTS, type FaultChoice, parseFault } from '../../src/simulator/meter/faults.ts';
import { startVirtualMeters, type VirtualMeterAddress, type VirtualMeters } from '../../src/simulator/meter/fleet.ts';
import type { Framing } from '../../src/transport/link-address.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import { until } from '../support/until.ts';
import { aarq, apduIn, blockIn, getList, getNext, getNormal, getResponseIn, TestClient } from './meter-support.ts';

const ENERGY = '3:1.0.1.8.0.255';
const EXCEPTION = { apdu: 'exception-response' };

const running: VirtualMeters[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((meters) => meters.stop()));
});

interface Stage {
  readonly clock: VirtualClock;
  readonly client: TestClient;
  readonly meters: VirtualMeters;
  /** What the promise gives, while virtual time passes. */
  passing<T>(promise: Promise<T>): Promise<T>;
}

async function stage(framing: Framing, ...faults: string[]): Promise<Stage> {
  const clock = new VirtualClock();
  const [ours, theirs] = memoryPair();
  const meters = await startVirtualMeters({
    count: 1,
    port: 0,
    framing,
    auth: 'none',
    transport: theirs,
    faults,
    clock,
  });
  running.push(meters);
  const link =
    framing === 'hdlc' ? new HdlcClientLink(DEFAULT_METER_SETTINGS) : new WrapperClientLink(DEFAULT_METER_SETTINGS);
  const client = new TestClient(ours, link);
  return {
    clock,
    client,
    meters,
    async passing(promise) {
      let done = false;
      const mark = (): void => {
        done = true;
      };
      promise.then(mark, mark);
      await until('the client is done', () => done, { clock });
      return promise;
    },
  };
}

describe('a choice of faults', () => {
  test('is read from names and numbers', () => {
    expect(parseFault('silent')).toEqual({ name: 'silent', parameter: 0 });
    expect(parseFault(' slow ')).toEqual({ name: 'slow', parameter: 1500 });
    expect(parseFault('slow:20')).toEqual({ name: 'slow', parameter: 20 });
    expect(parseFault('truncate:0.5')).toEqual({ name: 'truncate', parameter: 0.5 });
    for (const wrong of ['', 'toString', 'silent:1', 'slow:', 'slow:x', 'slow:-1', 'slow:1:2']) {
      expect(() => parseFault(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
    }
  });

  test('plays out the same for the same seed', () => {
    const choices: FaultChoice[] = [parseFault('truncate:0.5'), parseFault('garbage')];
    const play = (seed: number) => {
      const faults = composeFaults(choices, seed, 'wrapper');
      return Array.from({ length: 10 }, () => faults.sends(Uint8Array.of(1, 2, 3, 4, 5)));
    };
    expect(play(1)).toEqual(play(1));
    expect(play(1)).not.toEqual(play(2));
  });

  test('of none changes nothing', () => {
    const frame = Uint8Array.of(1, 2, 3);
    const faults = composeFaults([], 1, 'hdlc');
    expect(faults.sends(frame)).toEqual([{ bytes: frame, delayMs: 0, intact: true, thenClose: false }]);
    expect(faults.forgets(frame)).toBe(false);
    expect(faults.refuses(frame)).toBeNull();
    expect(faults.hears(frame)).toBe(frame);
    expect(faults.says(frame)).toBe(frame);
  });

  test.each(Object.keys(FAULTS))('%s leaves a meter standing, in both framings', async (name) => {
    for (const framing of ['wrapper', 'hdlc'] as const) {
      const { client, clock } = await stage(framing, name);
      void client.associate().catch(() => undefined);
      for (let turn = 0; turn < 5; turn += 1) {
        await clock.advance(2000);
        if (client.closed === null) client.timeout();
      }
    }
  });
});

describe('faults of the line', () => {
  test('silent: no answer', async () => {
    const { client, clock, meters } = await stage('wrapper', 'silent');
    void client.associate().catch(() => undefined);
    await clock.advance(60_000);
    expect(client.portions).toEqual([]);
    expect(meters.truth()[0]?.said).toEqual([]);
  });

  test('garbage: octets that are no frame', async () => {
    const { client, clock } = await stage('hdlc', 'garbage');
    void client.associate().catch(() => undefined);
    await clock.advance(1000);
    expect(client.portions).toHaveLength(1);
    expect(client.events.every(({ kind }) => kind === 'discarded')).toBe(true);
  });

  test('slow: an answer after so many milliseconds', async () => {
    const { client, clock } = await stage('wrapper', 'slow:700');
    const done = client.associate();
    await clock.advance(699);
    expect(client.portions).toEqual([]);
    await clock.advance(1);
    await done;
  });

  test('truncate: less than a frame; the truth knows that it was damaged', async () => {
    const { client, clock, meters } = await stage('wrapper', 'truncate:0.5');
    await client.open();
    for (let round = 0; round < 20; round += 1) {
      void client.connect();
      client.send(aarq());
      await clock.advance(10);
      client.timeout();
      void client.connect();
      client.send(getNormal(ENERGY));
      await clock.advance(10);
      client.timeout();
    }
    const said = meters.truth()[0]?.said ?? [];
    expect(said.some(({ intact }) => intact)).toBe(true);
    expect(said.some(({ intact }) => !intact)).toBe(true);
  });

  test('corrupt-crc: a frame that fails its check, and the link recovers from it', async () => {
    const { client, clock, meters } = await stage('hdlc', 'corrupt-crc:0.2');
    let text = '';
    const work = async (): Promise<void> => {
      await client.associate();
      for (let round = 0; round < 10; round += 1) await client.exchange(getNormal(ENERGY));
      text = 'done';
    };
    void work();
    for (let turn = 0; turn < 200 && text === ''; turn += 1) {
      await clock.advance(10);
      if (text === '') client.timeout();
    }
    expect(text).toBe('done');
    expect(client.events.some(({ kind }) => kind === 'discarded')).toBe(true);
    const said = meters.truth()[0]?.said ?? [];
    expect(said).toHaveLength(10);
    expect(said.some(({ intact }) => !intact)).toBe(true);
  });

  test('close-after-n: the n-th frame still arrives', async () => {
    const { client, passing } = await stage('wrapper', 'close-after-n:2');
    await passing(client.associate());
    getResponseIn(await passing(client.exchange(getNormal(ENERGY))));
    expect(client.closed?.code).toBe('LINE_CLOSED');
  });

  test('close-after-n over TCP: likewise, and every connection counts anew', async () => {
    const meters = await startVirtualMeters({
      count: 1,
      port: 0,
      framing: 'wrapper',
      auth: 'none',
      faults: ['close-after-n:2'],
    });
    running.push(meters);
    const [{ host, port }] = meters.addresses as [VirtualMeterAddress];
    for (let round = 0; round < 2; round += 1) {
      const client = new TestClient(
        tcpTransport({ host, port, clock: systemClock }),
        new WrapperClientLink(DEFAULT_METER_SETTINGS),
      );
      await client.associate();
      getResponseIn(await client.exchange(getNormal(ENERGY)));
      await until('the meter has closed the connection', () => client.closed !== null);
    }
  });

  test.each(['wrapper', 'hdlc'] as const)('wrong-address: a valid %s frame of somebody else', async (framing) => {
    const { client, clock } = await stage(framing, 'wrong-address:1');
    void client.associate().catch(() => undefined);
    await clock.advance(10);
    const octets = concat(client.portions);
    const from = framing === 'hdlc' ? decodeFrame(octets).source.upper : decodeWrapper(octets).sourceWPort;
    expect(from).toBe(0);
    expect(client.events.some(({ kind }) => kind === 'discarded')).toBe(true);
    expect(client.events.some(({ kind }) => kind === 'apdu')).toBe(false);
  });

  test.each(['wrapper', 'hdlc'] as const)('one-byte: every octet of a %s frame by itself', async (framing) => {
    const { client, passing } = await stage(framing, 'one-byte');
    await passing(client.associate());
    expect(client.portions.length).toBeGreaterThan(20);
    expect(client.portions.every((portion) => portion.length === 1)).toBe(true);
  });
});

describe('faults of the application', () => {
  test('drop-association: every n-th request finds none, until the client opens it anew', async () => {
    const { client, passing } = await stage('wrapper', 'drop-association:3');
    await passing(client.associate());
    const ask = async () => apduIn(await passing(client.exchange(getNormal(ENERGY)))).apdu;
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([
      'get-response',
      'get-response',
      'exception-response',
      'exception-response',
    ]);
    await passing(client.associate());
    expect(await ask()).toBe('get-response');
  });

  test('no-list: lists are granted and refused, single requests are not', async () => {
    const { client, passing, meters } = await stage('wrapper', 'no-list');
    await passing(client.associate());
    expect(apduIn(await passing(client.exchange(getList([ENERGY, ENERGY]))))).toMatchObject(EXCEPTION);
    expect(meters.truth()[0]?.said).toEqual([]);
    getResponseIn(await passing(client.exchange(getNormal(ENERGY))));
  });

  test('block0: the first block is number 0', async () => {
    const { client, passing } = await stage('wrapper', 'block0');
    await passing(client.associate({ maxPdu: 100 }));
    const blocks = [blockIn(await passing(client.exchange(getNormal('15:0.0.40.0.0.255'))))];
    while (blocks.at(-1)?.lastBlock === false) {
      blocks.push(blockIn(await passing(client.exchange(getNext(blocks.length - 1)))));
    }
    expect(blocks.map(({ blockNumber }) => blockNumber)).toEqual(blocks.map((_, index) => index));
    expect(blocks.length).toBeGreaterThan(5);
    expect(blocks.every((block) => 'rawData' in block)).toBe(true);
  });

  test('no-invoke-echo: every answer has invoke-id 0', async () => {
    const { client, passing, meters } = await stage('wrapper', 'no-invoke-echo');
    await passing(client.associate());
    const response = getResponseIn(await passing(client.exchange(getNormal(ENERGY, 9))));
    expect(response.invokeIdAndPriority).toMatchObject({ raw: '00', invokeId: 0 });
    expect(meters.truth()[0]?.said[0]?.intact).toBe(true);
  });

  test('several at once', async () => {
    const { client, passing } = await stage('wrapper', 'no-list', 'one-byte', 'slow:5', 'block0');
    await passing(client.associate({ maxPdu: 60 }));
    expect(apduIn(await passing(client.exchange(getList([ENERGY, ENERGY]))))).toMatchObject(EXCEPTION);
    const first = blockIn(await passing(client.exchange(getNormal('15:0.0.40.0.0.255'))));
    expect(first.blockNumber).toBe(0);
  });
});
