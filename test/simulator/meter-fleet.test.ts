import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { concat, toHex } from '../../src/core/bytes.ts';
import { clientAddress, physicalFromSerialNumber, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { encodeFrame, type HdlcControl } from '../../src/dlms/hdlc/frame.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings } from '../../src/dlms/settings.ts';
import { encodeWrapper, WrapperClientLink, WrapperDeframer } from '../../src/dlms/wrapper.ts';
import { systemClock, VirtualClock } from '../../src/runtime/clock.ts';
import {
  startVirtualMeters,
  type VirtualMeterAddress,
  type VirtualMeters,
  type VirtualMetersOptions,
} from '../../src/simulator/meter/fleet.ts';
import { EVENT_LOG, LOAD_PROFILE } from '../../src/simulator/meter/profiles.ts';
import { compareWithTruth } from '../../src/simulator/meter/truth.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { tcpTransport } from '../../src/transport/tcp.ts';
import { quiet, until } from '../support/until.ts';
import { SecureClient } from './meter-secure-client.ts';
import {
  aareIn,
  aarq,
  getList,
  getNext,
  getNormal,
  getResponseIn,
  model,
  PASSWORD,
  TestClient,
} from './meter-support.ts';

const ENERGY = '3:1.0.1.8.0.255';
const SERIAL = '1:0.0.96.1.0.255';

const running: { stop(): Promise<void> }[] = [];
const clients: TestClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(running.splice(0).map((meters) => meters.stop()));
});

async function start(options: Partial<VirtualMetersOptions> = {}): Promise<VirtualMeters> {
  const meters = await startVirtualMeters({ count: 1, port: 0, framing: 'wrapper', auth: 'none', ...options });
  running.push(meters);
  return meters;
}

function dial({ host, port }: { host: string; port: number }, settings: Partial<MeterSettings> = {}): TestClient {
  const all = { ...DEFAULT_METER_SETTINGS, ...settings };
  // Only HDLC meters have lower addresses here.
  const link =
    'physical' in settings || 'addressSize' in settings ? new HdlcClientLink(all) : new WrapperClientLink(all);
  const client = new TestClient(tcpTransport({ host, port, clock: systemClock }), link);
  clients.push(client);
  return client;
}

async function textAt(client: TestClient, point: string): Promise<string> {
  const response = getResponseIn(await client.exchange(getNormal(point)));
  if (response.type !== 'normal' || !('data' in response.result)) throw new Error(`${point} was refused`);
  const { data } = response.result;
  return data.type === 'octet-string' ? Buffer.from(data.value).toString() : String('value' in data ? data.value : '');
}

describe('over TCP', () => {
  test('a wrapper meter answers for itself', async () => {
    const { addresses } = await start({ phases: 3 });
    const [address] = addresses as [VirtualMeterAddress];
    expect(address).toMatchObject({ host: '127.0.0.1', server: 1, physical: null });
    const client = dial(address);
    await client.associate();
    expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
    expect(await textAt(client, '1:0.0.42.0.0.255')).toBe(address.logicalDeviceName);
  });

  test('many meters stand behind one port, each with its address', async () => {
    const { addresses } = await start({ count: 5 });
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(1);
    expect(addresses.map(({ server }) => server)).toEqual([1, 2, 3, 4, 5]);
    for (const address of addresses) {
      const client = dial(address, { server: address.server });
      await client.associate();
      expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
    }
  });

  test('or each behind a port of its own', async () => {
    const { addresses } = await start({ count: 4, metersPerPort: 1 });
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(4);
    expect(new Set(addresses.map(({ serialNumber }) => serialNumber)).size).toBe(4);
    for (const address of addresses) {
      const client = dial(address);
      await client.associate();
      expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
    }
  });

  test('or in groups behind a port, each group counting its addresses from 1', async () => {
    const { addresses } = await start({ count: 5, metersPerPort: 2 });
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(3);
    expect(addresses.map(({ server }) => server)).toEqual([1, 2, 1, 2, 1]);
    for (const address of addresses) {
      const client = dial(address, { server: address.server });
      await client.associate();
      expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
    }
  });

  test('several clients talk to one meter at once, each in its own association', async () => {
    const { addresses } = await start();
    const [address] = addresses as [VirtualMeterAddress];
    const crowd = Array.from({ length: 8 }, () => dial(address));
    await Promise.all(crowd.map((client) => client.associate()));
    const serials = await Promise.all(crowd.map((client) => textAt(client, SERIAL)));
    expect(new Set(serials)).toEqual(new Set([address.serialNumber]));
  });

  test('one connection may talk to several meters, as several clients', async () => {
    const { addresses } = await start({ count: 3 });
    const [{ host, port }] = addresses as [VirtualMeterAddress];
    const transport = tcpTransport({ host, port, clock: systemClock });
    const deframer = new WrapperDeframer();
    const answers: string[] = [];
    await transport.open({
      data: (octets) => {
        for (const item of deframer.push(octets)) {
          if (item.kind === 'discarded') answers.push(item.discarded.reason);
          else answers.push(`${item.frame.sourceWPort} to ${item.frame.destinationWPort}`);
        }
      },
      closed: () => undefined,
    });
    const requests = [1, 2, 3].flatMap((server) => [16, 17].map((client) => encodeWrapper(client, server, aarq())));
    await transport.write(concat(requests));
    await until('all have answered', () => answers.length === requests.length);
    await transport.close();
    expect(answers).toEqual(['1 to 16', '1 to 17', '2 to 16', '2 to 17', '3 to 16', '3 to 17']);
  });

  test.each<[string, (address: VirtualMeterAddress) => Partial<MeterSettings>]>([
    ['server address in one octet', ({ server }) => ({ server, addressSize: 1 })],
    ['server and physical address', ({ server, physical }) => ({ server, physical })],
    ['four octets', ({ server, physical }) => ({ server, physical, addressSize: 4 })],
    ['four octets without a physical address', ({ server }) => ({ server, addressSize: 4 })],
    ['logical device 1 and its place on the line', ({ physical }) => ({ server: 1, physical })],
    [
      'logical device 1 and its serial number',
      ({ serialNumber }) => ({ server: 1, physical: physicalFromSerialNumber(Number(serialNumber)) }),
    ],
  ])('an HDLC meter answers to %s', async (_, settings) => {
    const { addresses } = await start({ count: 3, framing: 'hdlc' });
    const address = addresses[1] as VirtualMeterAddress;
    const client = dial(address, settings(address));
    await client.associate();
    expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
  });

  test('an HDLC answer is segmented, in windows, and block transfer on top of it works too', async () => {
    const { addresses } = await start({ framing: 'hdlc', maxPdu: 300 });
    const [address] = addresses as [VirtualMeterAddress];
    const client = dial(address, { physical: 17, window: 3, infoLength: 64 });
    await client.associate();
    const response = getResponseIn(await client.exchange(getNormal('15:0.0.40.0.0.255')));
    expect(response).toMatchObject({ type: 'with-datablock', lastBlock: false, blockNumber: 1 });
    const next = getResponseIn(await client.exchange(getNext(1)));
    expect(next).toMatchObject({ type: 'with-datablock', blockNumber: 2 });
  });

  test('strangers get no answer: unknown client, unknown server, wrong physical address', async () => {
    const wrapper = await start();
    const hdlc = await start({ framing: 'hdlc' });
    const [at] = wrapper.addresses as [VirtualMeterAddress];
    const [hdlcAt] = hdlc.addresses as [VirtualMeterAddress];
    const strangers = [
      dial(at, { client: 99 }),
      dial(at, { server: 2 }),
      dial(hdlcAt, { client: 99, physical: 17 }),
      dial(hdlcAt, { physical: 18 }),
    ];
    for (const stranger of strangers) {
      await stranger.open();
      void stranger.associate().catch(() => undefined);
    }
    await quiet();
    expect(strangers.map(({ portions }) => portions)).toEqual([[], [], [], []]);
  });

  test('a password is asked for', async () => {
    const { addresses } = await start({ auth: 'low', password: PASSWORD });
    const [address] = addresses as [VirtualMeterAddress];
    const client = dial(address, { client: 17 });
    await client.associate({ authentication: 'low', password: PASSWORD });
    expect(await textAt(client, SERIAL)).toBe(address.serialNumber);
    await expect(dial(address, { client: 17 }).associate()).rejects.toThrow('rejected');
  });

  test.each(['wrapper', 'hdlc'] as const)('security is spoken over %s', async (framing) => {
    const meters = await start({ count: 2, framing, auth: 'sha256', security: 'both', password: PASSWORD });
    const [first, second] = meters.addresses as [VirtualMeterAddress, VirtualMeterAddress];
    expect([first.systemTitle, second.systemTitle]).toEqual(['53494d0010010001', '53494d0010010002']);
    const place = framing === 'hdlc' ? { physical: second.physical } : {};
    const client = dial(second, { client: 17, server: second.server, ...place });
    await client.open();
    await client.connect();
    const opening = new SecureClient(model(), { authentication: 'sha256', policy: 'both' });
    const aare = aareIn(await client.exchange(opening.aarq()));
    expect(aare).toMatchObject({ result: { code: 0 }, resultSourceDiagnostic: { code: 14 } });
    expect(toHex(aare.respondingAPTitle ?? new Uint8Array(0))).toBe(second.systemTitle);
  });

  test('profiles have a truth', async () => {
    const meters = await start({ count: 2, profiles: { compressed: true } });
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 6)];
    const [first, second] = [0, 1].map((index) => meters.profileRows(index, LOAD_PROFILE, from, to));
    // The virtual meters here live by the real clock.
    expect(first?.length).toBe(second?.length);
    expect(meters.profileRows(0, EVENT_LOG).length).toBeGreaterThan(0);
    expect(() => meters.profileRows(2, LOAD_PROFILE)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
  });

  test('stopping breaks what stands, and twice is no harm', async () => {
    const meters = await start();
    const [address] = meters.addresses as [VirtualMeterAddress];
    const client = dial(address);
    await client.associate();
    await meters.stop();
    await meters.stop();
    await until('the connection is gone', () => client.closed !== null);
    await expect(dial(address).open()).rejects.toMatchObject({ code: 'LINE_REFUSED' });
  });

  test('options that cannot be are refused', async () => {
    const invalid = { code: 'INVALID_VALUE' };
    const [transport] = memoryPair();
    const { addresses } = await start();
    await expect(start({ count: 0 })).rejects.toMatchObject(invalid);
    await expect(start({ count: 20_000, framing: 'hdlc' })).rejects.toMatchObject(invalid);
    await expect(start({ count: 2, port: 65_535, metersPerPort: 1 })).rejects.toMatchObject(invalid);
    await expect(start({ count: 2, transport, metersPerPort: 1 })).rejects.toMatchObject(invalid);
    await expect(start({ maxPdu: 11 })).rejects.toMatchObject(invalid);
    await expect(start({ auth: 'high', password: 'more than 16 octets' })).rejects.toMatchObject(invalid);
    await expect(start({ security: 'both', systemTitle: '01' })).rejects.toMatchObject(invalid);
    await expect(start({ faults: ['sloth'] })).rejects.toMatchObject(invalid);
    await expect(start({ port: addresses[0]?.port ?? 0 })).rejects.toMatchObject(invalid);
  });
});

describe('over any transport, in virtual time', () => {
  test('answers leave after the delay of the meter', async () => {
    const clock = new VirtualClock();
    const [ours, theirs] = memoryPair();
    await start({ transport: theirs, clock, answerDelayMs: 400 });
    const client = new TestClient(ours, new WrapperClientLink(DEFAULT_METER_SETTINGS));
    const done = client.associate();
    await clock.advance(399);
    expect(client.portions).toEqual([]);
    await clock.advance(1);
    await done;
    expect(client.portions).toHaveLength(1);
  });

  test('a line that was lost is opened again', async () => {
    const clock = new VirtualClock();
    const [ours, theirs] = memoryPair();
    await start({ transport: theirs, clock });
    const client = new TestClient(ours, new WrapperClientLink(DEFAULT_METER_SETTINGS));
    await client.open();
    await client.close();
    await clock.advance(1000);
    await client.associate();
    expect(await textAt(client, SERIAL)).toMatch(/^\d{8}$/);
  });

  test('half a request is given up after a silence', async () => {
    const clock = new VirtualClock();
    const [ours, theirs] = memoryPair();
    await start({ transport: theirs, clock });
    const client = new TestClient(ours, new WrapperClientLink(DEFAULT_METER_SETTINGS));
    await client.open();
    // A wrapper header that announces 65,535 octets.
    await client.write(Uint8Array.of(0, 1, 0, 16, 0, 1, 0xff, 0xff, 0xc0));
    await clock.advance(3001);
    await client.associate();
    expect(await textAt(client, SERIAL)).toMatch(/^\d{8}$/);
  });

  /** Octets as they come: at random, or in frames that are valid for one of the two meters. */
  const control = fc.oneof(
    fc.record({
      frameType: fc.constant('I' as const),
      ns: fc.nat(7),
      nr: fc.nat(7),
      pollFinal: fc.boolean(),
    }),
    fc.record({ frameType: fc.constantFrom('RR', 'RNR', 'REJ'), nr: fc.nat(7), pollFinal: fc.boolean() }),
    fc.record({
      frameType: fc.constantFrom('SNRM', 'SNRM', 'SNRM', 'DISC', 'UI', 'UA', 'DM', 'FRMR'),
      pollFinal: fc.boolean(),
    }),
  ) as fc.Arbitrary<HdlcControl>;
  const portion = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.constantFrom(16, 17, 99), fc.integer({ min: 1, max: 3 }), fc.uint8Array({ maxLength: 40 }))
      .map(([client, server, apdu]) => encodeWrapper(client, server, apdu)),
    fc
      .tuple(
        control,
        fc.integer({ min: 1, max: 3 }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 60 })),
        fc.boolean(),
      )
      .map(([sent, server, information, segmented]) =>
        encodeFrame({
          source: clientAddress(16),
          destination: serverAddress(server, null, null),
          control: sent,
          segmented,
          information,
        }),
      ),
  );

  test.each(['wrapper', 'hdlc'] as const)(
    'any octets are taken over %s without a word or with one',
    async (framing) => {
      await fc.assert(
        fc.asyncProperty(fc.array(portion, { maxLength: 15 }), async (portions) => {
          const clock = new VirtualClock();
          const [ours, theirs] = memoryPair();
          const meters = await startVirtualMeters({
            count: 2,
            port: 0,
            framing,
            auth: 'none',
            transport: theirs,
            clock,
          });
          await ours.open({ data: () => undefined, closed: () => undefined });
          for (const octets of portions) await ours.write(octets);
          await clock.advance(10);
          await meters.stop();
        }),
        { numRuns: 100 },
      );
    },
  );
});

describe('truth', () => {
  test.each(['wrapper', 'hdlc'] as const)('keeps what was read over %s, and nothing else', async (framing) => {
    const clock = new VirtualClock();
    const [ours, theirs] = memoryPair();
    const meters = await start({ transport: theirs, clock, framing, answerDelayMs: 50 });
    const settings = { ...DEFAULT_METER_SETTINGS, infoLength: 40 };
    const link = framing === 'hdlc' ? new HdlcClientLink(settings) : new WrapperClientLink(settings);
    const client = new TestClient(ours, link);
    const work = async (): Promise<string> => {
      await client.associate();
      await client.exchange(getList([ENERGY, `${ENERGY}:3`, SERIAL, '3:1.0.32.7.0.255', '4:1.0.1.6.0.255']));
      return textAt(client, ENERGY);
    };
    let energy: string | null = null;
    void work().then((text) => {
      energy = text;
    });
    await until('the client is done', () => energy !== null, { clock });
    const [report] = meters.truth();
    expect(report?.said.map(({ obis, classId, attribute, intact }) => [obis, classId, attribute, intact])).toEqual([
      ['1.0.1.8.0.255', 3, 2, true],
      ['1.0.32.7.0.255', 3, 2, true],
      ['1.0.1.6.0.255', 4, 2, true],
      ['1.0.1.8.0.255', 3, 2, true],
    ]);
    const last = report?.said.at(-1);
    expect(last?.value).toBe(energy);
    expect(last?.at).toBeLessThanOrEqual(clock.now());
    expect(last?.at).toBeGreaterThan(clock.now() - 100);
  });

  test('compares with what was received', async () => {
    const meters = await start();
    const [address] = meters.addresses as [VirtualMeterAddress];
    const client = dial(address);
    await client.associate();
    const values = [await textAt(client, ENERGY), await textAt(client, ENERGY)];
    const said = meters.truth()[0]?.said ?? [];
    const received = values.map((value, index) => ({ key: 'energy', ts: (said[index]?.at ?? 0) + 1 + index, value }));
    const keys = { energy: '1.0.1.8.0.255' };
    expect(compareWithTruth(said, received, keys)).toEqual({ expected: 2, lost: [], wrong: [], duplicates: 0 });
    expect(compareWithTruth(said, received.slice(1), keys).lost).toHaveLength(1);
  });
});
