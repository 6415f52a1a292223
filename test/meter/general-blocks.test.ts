/** Sessions with virtual meters that grant ACCESS or general block transfer, over both framings, with every fault of blocks. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { AccessExchange } from '../../src/dlms/exchange/access-exchange.ts';
import { SetExchange } from '../../src/dlms/exchange/set-exchange.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { readAttributes, readObjectList } from '../../src/meter/client.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2, accessSelection: null };
const SCALER = { ...ENERGY, attributeId: 3 };
const NO_SUCH = { ...ENERGY, instanceId: '1.0.99.99.99.255' };
/** The object of the virtual meter that is there to be written. */
const NOTES = { classId: 1, instanceId: '0.0.96.50.0.255', attributeId: 2, accessSelection: null };

async function talking<T>(
  options: Parameters<typeof conversation>[0],
  settings: Parameters<typeof conversation>[1],
  action: (bench: Conversation) => Promise<T>,
): Promise<T> {
  const bench = await conversation(options, settings);
  try {
    return await action(bench);
  } finally {
    await bench.end();
  }
}

const GET_ALONE: readonly ConformanceBit[] = ['get', 'general-block-transfer'];
const framings = ['wrapper', 'hdlc'] as const;
const faults: readonly (readonly string[])[] = [
  [],
  ['lose-block'],
  ['lose-block:2'],
  ['repeat-block'],
  ['disorder-blocks'],
  ['lose-block:4', 'repeat-block'],
];

describe.each(framings)('an object list by general block transfer, %s', (framing) => {
  const wholeList = () => talking({ framing }, {}, ({ run }) => run((session) => readObjectList(session)));

  test.each(faults.map((names) => [names.join(' and ') || 'no fault', names] as const))('%s', async (_, names) => {
    const expected = await wholeList();
    const list = await talking({ framing, grant: GET_ALONE, faults: names, maxPdu: 200 }, { maxPdu: 200 }, ({ run }) =>
      run((session) => readObjectList(session)),
    );
    expect(list.objects.length).toBe(expected.objects.length);
    expect(list).toEqual(expected);
  });
});

test.each(framings)('a request that is longer than the meter takes goes in blocks: %s', async (framing) => {
  const value = { type: 'octet-string' as const, value: Uint8Array.from({ length: 700 }, (_, index) => index & 0xff) };
  const grant: readonly ConformanceBit[] = ['get', 'set', 'general-block-transfer'];
  await talking({ framing, grant, maxPdu: 128, faults: ['repeat-block'] }, {}, async ({ run }) => {
    const read = await run(async (session) => {
      expect(await session.run(new SetExchange([{ ...NOTES, value }]))).toMatchObject([{ code: 0 }]);
      return readAttributes(session, [NOTES]);
    });
    expect(read).toEqual([{ data: value }]);
  });
});

describe('a meter that grants ACCESS', () => {
  const grant: readonly ConformanceBit[] = ['access'];

  test.each(framings)('alone: several points in one round trip, refusals for themselves: %s', async (framing) => {
    await talking({ framing, grant }, {}, async ({ run }) => {
      const results = await run(async (session) => {
        const before = session.counts.roundTrips;
        const read = await readAttributes(session, [ENERGY, SCALER, NO_SUCH]);
        expect(session.counts.roundTrips - before).toBe(1);
        return read;
      });
      expect(results).toMatchObject([
        { data: { type: 'double-long-unsigned' } },
        { data: { type: 'structure' } },
        { dataAccessResult: { code: 4 } },
      ]);
    });
  });
  test.each(framings)('alone: attributes are written and methods called: %s', async (framing) => {
    const value = { type: 'octet-string' as const, value: Uint8Array.of(1, 2, 3) };
    const disconnect = { method: { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 }, parameters: null };
    await talking({ framing, grant }, {}, ({ run }) =>
      run(async (session) => {
        expect(await session.set([{ ...NOTES, value }])).toMatchObject([{ code: 0 }]);
        expect(await readAttributes(session, [NOTES])).toEqual([{ data: value }]);
        expect(
          await session.set([
            { ...NOTES, value },
            { ...NO_SUCH, value },
          ]),
        ).toMatchObject([{ code: 0 }, { code: 4 }]);
        expect(await session.action([disconnect])).toMatchObject([{ result: { code: expect.any(Number) } }]);
        const strange = { ...disconnect, method: { ...disconnect.method, instanceId: '9.9.9.9.9.9' } };
        expect(await session.action([strange])).toEqual([
          { result: expect.objectContaining({ code: 4 }), returnParameters: null },
        ]);
      }),
    );
  });
  test('a long answer comes in blocks', async () => {
    const expected = await talking({}, {}, ({ run }) => run((session) => readObjectList(session)));
    const options = { grant: [...grant, 'general-block-transfer'] as const, maxPdu: 200, faults: ['lose-block:5'] };
    expect(await talking(options, { maxPdu: 200 }, ({ run }) => run((session) => readObjectList(session)))).toEqual(
      expected,
    );
  });
  test.each([true, false])('reads, writes and calls mixed; specifications repeated: %s', async (selfDescriptive) => {
    const value = { type: 'octet-string' as const, value: Uint8Array.of(1, 2, 3) };
    await talking({ grant }, {}, async ({ run }) => {
      const exchange = new AccessExchange(
        [
          { access: 'set', ...NOTES, value },
          { access: 'get', ...NOTES },
          { access: 'action', method: { classId: 70, instanceId: '0.0.96.3.10.255', methodId: 1 }, parameters: null },
          { access: 'get', ...NO_SUCH },
        ],
        { selfDescriptive },
      );
      expect(await run((session) => session.run(exchange))).toMatchObject([
        { access: 'set', result: { code: 0 } },
        { access: 'get', result: { code: 0 }, data: value },
        { access: 'action', result: { code: expect.any(Number) } },
        { access: 'get', result: { code: 4 }, data: { type: 'null-data' } },
      ]);
    });
  });
});

test.each(framings)('blocks carry what is protected already: %s', async (framing) => {
  const keys = {
    blockCipherKey: fromHex('000102030405060708090a0b0c0d0e0f'),
    authenticationKey: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
  };
  const grant: readonly ConformanceBit[] = ['access', 'get', 'set', 'general-block-transfer'];
  const options = { framing, grant, maxPdu: 200, faults: ['lose-block:5'], security: 'both' as const, ...keys };
  const value = { type: 'octet-string' as const, value: new Uint8Array(600).fill(7) };
  const bench = await conversation(options, { security: 'both', maxPdu: 200 }, keys);
  try {
    const read = await bench.run(async (session) => {
      expect(await session.run(new SetExchange([{ ...NOTES, value }]))).toMatchObject([{ code: 0 }]);
      return readAttributes(session, [NOTES, ENERGY]);
    });
    expect(read).toMatchObject([{ data: value }, { data: { type: 'double-long-unsigned' } }]);
  } finally {
    await bench.end();
  }
});

test.each(framings)('a meter that falls silent within a transfer: METER_TIMEOUT, %s', async (framing) => {
  await talking(
    { framing, grant: GET_ALONE, faults: ['lose-block:1'], maxPdu: 200 },
    { maxPdu: 200 },
    async ({ run }) => {
      await expect(run((session) => readObjectList(session))).rejects.toMatchObject({ code: 'METER_TIMEOUT' });
    },
  );
});
