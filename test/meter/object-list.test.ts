/** Reading the object list of a meter that counts it wrongly: in one answer and in blocks. */
import { afterEach, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { RawGetExchange } from '../../src/dlms/exchange/raw-get-exchange.ts';
import { readObjectList } from '../../src/meter/client.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { readPoints } from '../../src/meter/points.ts';
import { type Conversation, conversation } from '../support/conversation.ts';

let running: Conversation | null = null;
afterEach(() => running?.end());

test.each([
  ['in one answer', 65_535, 3],
  ['in blocks', 200, 3],
  ['far too many', 65_535, 80],
])('a wrong count, %s: all objects are there, and it is told', async (_, maxPdu, more) => {
  running = await conversation({ faults: [`object-count:${more}`], maxPdu });
  const { objects, warnings } = await running.run(readObjectList);
  expect(objects.map(({ obis }) => obis)).toContain('0.0.99.98.0.255');
  expect(warnings).toEqual([
    { code: 'count', message: `the list announces ${objects.length + more} entries and holds ${objects.length}` },
  ]);
});

test('nothing is told of a list that is in order', async () => {
  running = await conversation();
  expect((await running.run(readObjectList)).warnings).toEqual([]);
});

test('points without class are found in such a list, and the association goes on', async () => {
  running = await conversation({ faults: ['object-count'], maxPdu: 65_535 });
  const point = { classId: null, obis: '1.0.1.8.0.255', attribute: 2 };
  const { results } = await running.run((session) => readPoints(session, [point], knowledgeOf(new Map())));
  expect(results).toMatchObject([{ classId: 3, error: null, scalerUnit: { unit: 30 } }]);
});

test('the raw value of a normal answer is not looked into; anything else is left to the codec', () => {
  const exchange = new RawGetExchange({ classId: 15, instanceId: '0.0.40.0.0.255', attributeId: 2 });
  // get-response normal, invoke id C1, data: an array that announces 9 elements and has one, unsigned 5.
  expect(exchange.decode(fromHex('c401c100 0109 1105'))).toMatchObject({
    apdu: 'get-response',
    invokeIdAndPriority: { raw: 'c1' },
    result: { data: { type: 'octet-string', value: fromHex('01091105') } },
  });
  // A refusal (access result 3), a block, an exception-response, half a header.
  for (const other of ['c401c10103', 'c402c1010000000100021105', 'd80101', 'c401']) {
    expect(exchange.decode(fromHex(other))).toBeNull();
  }
});
