/** Writing, calling and setting the clock of a virtual meter over a line in memory. */
import { expect, test } from 'vitest';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { isoText } from '../../src/dlms/axdr/date-time.ts';
import { callMethod, classOf, writeAttribute } from '../../src/meter/changes.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { readClock, setClock } from '../../src/meter/meter-clock.ts';
import { conversation } from '../support/conversation.ts';

const NOTES = { classId: 1, instanceId: '0.0.96.50.0.255', attributeId: 2 };
const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };
const RELAY = { classId: 70, instanceId: '0.0.96.3.10.255' };
const CLOCK = { classId: 8, instanceId: '0.0.1.0.0.255' };

const octets = (length: number): Data => ({
  type: 'octet-string',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});

test.each([
  ['wrapper', 20],
  ['wrapper', 6000],
  ['hdlc', 6000],
] as const)('what is written can be read, %s, %i octets', async (framing, length) => {
  const line = await conversation({ framing, maxPdu: 256 });
  const [result] = await line.run(async (session) => {
    await writeAttribute(session, NOTES, octets(length));
    return readAttributes(session, [NOTES]);
  });
  expect(result).toEqual({ data: octets(length) });
  await line.end();
});

test('what a meter refuses comes as its error; the association stands', async () => {
  const line = await conversation();
  const codes = await line.run(async (session) => {
    const codeOf = (action: Promise<unknown>): Promise<string> =>
      action.then(
        () => 'done',
        (error: { code: string; message: string }) => `${error.code} ${error.message}`,
      );
    const nothing: Data = { type: 'null-data' };
    const all = [
      await codeOf(writeAttribute(session, ENERGY, { type: 'unsigned', value: 1 })),
      await codeOf(writeAttribute(session, NOTES, { type: 'unsigned', value: 1 })),
      await codeOf(writeAttribute(session, { ...NOTES, instanceId: '9.9.9.9.9.9' }, nothing)),
      await codeOf(callMethod(session, { ...RELAY, methodId: 9 }, null)),
      await codeOf(callMethod(session, { ...CLOCK, methodId: 6 }, nothing)),
      await codeOf(callMethod(session, { ...CLOCK, methodId: 6 }, { type: 'long', value: 5 })),
    ];
    expect(session.isAssociated).toBe(true);
    return all;
  });
  expect(codes).toEqual([
    'DATA_ACCESS_READ_WRITE_DENIED 3:1.0.1.8.0.255:2: read-write-denied (3)',
    'DATA_ACCESS_TYPE_UNMATCHED 1:0.0.96.50.0.255:2: type-unmatched (12)',
    'DATA_ACCESS_OBJECT_UNDEFINED 1:9.9.9.9.9.9:2: object-undefined (4)',
    'DATA_ACCESS_OBJECT_UNDEFINED method 9 of 70:0.0.96.3.10.255: object-undefined (4)',
    'DATA_ACCESS_TYPE_UNMATCHED method 6 of 8:0.0.1.0.0.255: type-unmatched (12)',
    'done',
  ]);
  await line.end();
});

test('a method may return data', async () => {
  const line = await conversation();
  const returned = await line.run((session) =>
    callMethod(
      session,
      { classId: 7, instanceId: '1.0.98.1.0.255', methodId: 4 },
      {
        type: 'structure',
        value: [
          { type: 'double-long-unsigned', value: 1 },
          { type: 'double-long-unsigned', value: 2 },
          { type: 'long-unsigned', value: 1 },
          { type: 'long-unsigned', value: 0 },
        ],
      },
    ),
  );
  expect(returned).toMatchObject({ type: 'array', value: [{ type: 'structure' }, { type: 'structure' }] });
  await line.end();
});

test('the class of an object is looked up once', async () => {
  const line = await conversation();
  const knowledge = knowledgeOf(new Map());
  const found = await line.run(async (session) => {
    const given = await classOf(session, { classId: 3, obis: '1.0.1.8.0.255' }, knowledge);
    const listed = await classOf(session, { classId: null, obis: '0.0.96.3.10.255' }, knowledge);
    const before = session.counts.roundTrips;
    const again = await classOf(session, { classId: null, obis: '0.0.1.0.0.255' }, knowledge);
    expect(session.counts.roundTrips).toBe(before);
    await expect(classOf(session, { classId: null, obis: '9.9.9.9.9.9' }, knowledge)).rejects.toMatchObject({
      code: 'DATA_ACCESS_OBJECT_UNDEFINED',
    });
    return [given, listed, again];
  });
  expect(found).toEqual([3, 70, 8]);
  await line.end();
});

test('the clock is read with its zone, and set in the deviation that it has', async () => {
  const line = await conversation();
  const noon = Date.UTC(2026, 9, 25, 12);
  const { before, written, after } = await line.run(async (session) => {
    const before = await readClock(session);
    const written = await setClock(session, before, noon);
    return { before, written, after: await readClock(session) };
  });
  expect(before.zone).toMatchObject({ deviation: -60, now: -60 });
  expect(before.at).toBeLessThanOrEqual(line.clock.now());
  expect(isoText(written)).toBe('2026-10-25T13:00:00+01:00');
  expect(after.at! - noon).toBeLessThan(1000);
  await line.end();
});
