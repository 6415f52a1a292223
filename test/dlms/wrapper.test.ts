/** The wrapper: header, deframer, and the client's end. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { decodeWrapper, encodeWrapper, WrapperClientLink, WrapperDeframer } from '../../src/dlms/wrapper.ts';
import { eventsOf, failureOf } from '../support/links.ts';
import { bytesOf, isNegative, loadVectors } from '../support/vectors.ts';

const vectors = loadVectors('wrapper');
const good = vectors.filter((vector) => !isNegative(vector));

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'no error';
};

const deframe = (portions: readonly Uint8Array[]) => {
  const deframer = new WrapperDeframer();
  return [...portions.flatMap((portion) => deframer.push(portion)), ...deframer.flush()];
};
const singly = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((octet) => Uint8Array.of(octet));
const apdusIn = (portions: readonly Uint8Array[]): string[] =>
  deframe(portions).flatMap((item) => (item.kind === 'frame' ? [toHex(item.frame.apdu)] : []));

describe('header', () => {
  test.each(good)('$id decodes and encodes back', (vector) => {
    const { sourceWPort, destinationWPort, length, apdu } = decodeWrapper(bytesOf(vector));
    expect({ sourceWPort, destinationWPort, length, apduHex: toHex(apdu) }).toEqual({
      sourceWPort: vector.expect.sourceWPort,
      destinationWPort: vector.expect.destinationWPort,
      length: vector.expect.length,
      apduHex: vector.expect.apduHex,
    });
    expect(toHex(encodeWrapper(sourceWPort, destinationWPort, apdu))).toBe(vector.hex);
  });
  test.each(vectors.filter(isNegative))('$id is refused', (vector) => {
    expect(['MALFORMED', 'TRUNCATED']).toContain(codeOf(() => decodeWrapper(bytesOf(vector))));
  });
  test.each(good)('$id: truncated at every offset, with octets behind, octet by octet, behind junk', (vector) => {
    const bytes = bytesOf(vector);
    const apdu = [String(vector.expect.apduHex)];
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(codeOf(() => decodeWrapper(bytes.subarray(0, cut)))).toBe('TRUNCATED');
      expect(apdusIn([bytes.subarray(0, cut)])).toEqual([]);
    }
    expect(codeOf(() => decodeWrapper(concat([bytes, Uint8Array.of(0)])))).toBe('TRAILING_BYTES');
    expect(apdusIn(singly(bytes))).toEqual(apdu);
    expect(apdusIn([concat([bytes, bytes])])).toEqual([...apdu, ...apdu]);
    expect(apdusIn([concat([fromHex('ff000200'), bytes])])).toEqual(apdu);
  });
  test('an APDU that sixteen bits cannot measure is refused', () => {
    expect(codeOf(() => encodeWrapper(1, 1, new Uint8Array(65536)))).toBe('LIMIT_EXCEEDED');
    expect(apdusIn([encodeWrapper(1, 1, new Uint8Array(65535))])[0]).toHaveLength(2 * 65535);
  });
  test('octets outside are told, in one piece however they came', () => {
    const stream = concat([fromHex('aabbcc'), encodeWrapper(1, 2, fromHex('c0')), fromHex('00010001')]);
    const told = [
      { kind: 'discarded', discarded: { offset: 0, length: 3, reason: 'octets outside a wrapper message' } },
      { kind: 'frame', offset: 3 },
      { kind: 'discarded', discarded: { offset: 12, length: 4, reason: 'the frame is incomplete' } },
    ];
    expect(deframe([stream])).toMatchObject(told);
    expect(deframe(singly(stream))).toMatchObject(told);
  });
});

describe('client link', () => {
  const REQUEST = fromHex('c001c100');
  const answer = (apdu: string, source = 1, destination = 16): Uint8Array =>
    encodeWrapper(source, destination, fromHex(apdu));
  const asking = (): WrapperClientLink => {
    const link = new WrapperClientLink({ client: 16, server: 1 });
    expect(eventsOf(link.connect())).toEqual(['connected']);
    expect(link.send(REQUEST).send.map(toHex)).toEqual(['0001001000010004c001c100']);
    return link;
  };

  test('request and answer, octet by octet', () => {
    const link = asking();
    const events = singly(answer('c401c100')).flatMap((octet) => eventsOf(link.receive(octet)));
    expect(events).toEqual(['apdu c401c100']);
  });

  test('a notification between request and answer is not the answer', () => {
    const link = asking();
    expect(eventsOf(link.receive(answer('0f00000001')))).toEqual(['unsolicited 0f00000001']);
    expect(eventsOf(link.receive(answer('c401c100')))).toEqual(['apdu c401c100']);
    expect(eventsOf(link.receive(answer('c401c100')))).toEqual(['unsolicited c401c100']);
  });
  test('silence is not answered by repeating', () => {
    const link = asking();
    expect(failureOf(link.timeout())).toMatch(/^METER_TIMEOUT/);
    expect(codeOf(() => link.send(REQUEST))).toBe('LINK_LOST');
    expect(eventsOf(link.receive(answer('c401c100')))).toEqual(['discarded the link is not connected']);
    expect(eventsOf(link.connect())).toEqual(['connected']);
  });
  test('a time-out while nothing is awaited is nothing', () => {
    const link = new WrapperClientLink({ client: 16, server: 1 });
    link.connect();
    expect(link.timeout()).toEqual({ send: [], events: [] });
  });
  test('an answer with other addresses is dropped and named', () => {
    const link = asking();
    expect(eventsOf(link.receive(answer('c401c100', 2, 16)))).toEqual([
      'discarded other address: server 2 to client 16',
    ]);
    expect(failureOf(link.timeout())).toBe(
      'WRONG_ADDRESS: asked server 1 as client 16, but server 2 to client 16 answered',
    );
  });
  test('an HDLC frame is another framing', () => {
    const link = asking();
    link.receive(fromHex('7ea00721037301407e'));
    expect(failureOf(link.timeout())).toMatch(/^WRONG_FRAMING: .*HDLC/);
  });
  test('garbage is garbage', () => {
    const link = asking();
    link.receive(fromHex('485454502f312e31'));
    expect(failureOf(link.timeout())).toMatch(/^METER_GARBAGE/);
  });
  test('several APDUs in a row, and one more after the answer', () => {
    const link = asking();
    expect(link.send(REQUEST).send).toHaveLength(1);
    expect(eventsOf(link.receive(answer('c401c100')))).toEqual(['apdu c401c100']);
    link.listen();
    expect(failureOf(link.timeout())).toMatch(/^METER_TIMEOUT/);
  });
  test('disconnected at once', () => expect(eventsOf(asking().disconnect())).toEqual(['disconnected']));
});
