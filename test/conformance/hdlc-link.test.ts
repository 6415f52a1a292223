/**
 * The link, in the manner of the conformance cases T_HDLC_NDM2NRM P1 and P2, INFO P1 and N1-N3, NDMOP N1; and two clients on
 * one port, each with a link of its own.
 */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { clientAddress } from '../../src/dlms/hdlc/address.ts';
import {
  decodeFrameReject,
  decodeParameters,
  encodeParameters,
  symmetricParameters,
} from '../../src/dlms/hdlc/parameters.ts';
import type { Endpoint } from '../../src/simulator/meter/endpoint.ts';
import { answers, DISC, i, kinds, meterEnd, REQUEST, rr, SNRM, toMeter } from './hdlc-server.ts';

const request = (ns: number, nr: number, parts: Parameters<typeof toMeter>[1] = {}): Uint8Array =>
  toMeter(i(ns, nr), { information: REQUEST, ...parts });
const connected = (): Endpoint => {
  const meter = meterEnd();
  answers(meter, toMeter(SNRM));
  return meter;
};

describe('NDM2NRM', () => {
  test('P1: SNRM without parameters is answered by UA, with what was agreed', () => {
    const [ua] = answers(meterEnd(), toMeter(SNRM));
    expect(ua?.control.frameType).toBe('UA');
    expect(decodeParameters(ua?.information ?? new Uint8Array(0))).toEqual(symmetricParameters(128, 1));
  });
  test('P2: SNRM with parameters: never more than was proposed', () => {
    const [ua] = answers(meterEnd(), toMeter(SNRM, { information: encodeParameters(symmetricParameters(200, 3)) }));
    expect(decodeParameters(ua?.information ?? new Uint8Array(0))).toEqual(symmetricParameters(200, 3));
  });
  test('P2: a second SNRM sets the numbers back', () => {
    const meter = connected();
    expect(kinds(meter, request(0, 0), toMeter(SNRM), request(0, 0))).toEqual(['I', 'UA', 'I']);
  });
  test('DISC, and DISC again', () => {
    expect(kinds(connected(), toMeter(DISC), toMeter(DISC))).toEqual(['UA', 'DM']);
  });
});

describe('INFO', () => {
  test('P1: numbers go round', () => {
    const meter = connected();
    for (let count = 0; count < 20; count += 1) {
      const [answer] = answers(meter, request(count % 8, count % 8));
      expect(answer?.control).toMatchObject({ frameType: 'I', ns: count % 8, nr: (count + 1) % 8 });
    }
  });
  test('N1: a number out of sequence is not taken: RR names the one that is awaited', () => {
    const [answer] = answers(connected(), request(1, 0));
    expect(answer?.control).toEqual({ frameType: 'RR', nr: 0, pollFinal: true });
  });
  test('N2: the same frame again brings the same answer, not another', () => {
    const meter = connected();
    const [first] = answers(meter, request(0, 0));
    expect(answers(meter, request(0, 0))).toEqual([first]);
    expect(answers(meter, toMeter(rr(0)))).toEqual([first]);
    expect(kinds(meter, toMeter(rr(1)))).toEqual(['RR']);
  });
  test('N3: information longer than agreed: FRMR, which says so', () => {
    const meter = connected();
    const [answer] = answers(meter, toMeter(i(0, 0), { information: new Uint8Array(129) }));
    expect(answer?.control.frameType).toBe('FRMR');
    expect(decodeFrameReject(answer?.information ?? null)).toMatchObject({
      rejectedFrameType: 'I',
      reasons: ['information field too long'],
    });
    expect(kinds(meter, request(0, 0))).toEqual(['DM']);
  });
  test('N3: a control octet that nobody knows: FRMR', () => {
    const [answer] = answers(connected(), toMeter({ frameType: 'unknown', octet: 0xf3, pollFinal: true }));
    expect(decodeFrameReject(answer?.information ?? null)?.reasons).toEqual(['unknown control field']);
  });
});

describe('NDMOP', () => {
  test.each([
    ['I', request(0, 0)],
    ['RR', toMeter(rr(0))],
    ['DISC', toMeter(DISC)],
  ])('N1: %s while disconnected is answered by DM', (_, octets) => expect(kinds(meterEnd(), octets)).toEqual(['DM']));
  test('N1: UI is not answered', () => {
    const ui = toMeter({ frameType: 'UI', pollFinal: false }, { information: fromHex('e6e600c1') });
    expect(kinds(meterEnd(), ui)).toEqual([]);
  });
  test.each(['UA', 'DM', 'FRMR'] as const)('N1: a response, %s, is not answered', (frameType) => {
    expect(kinds(meterEnd(), toMeter({ frameType, pollFinal: true }))).toEqual([]);
  });
});

test('two clients on one port have numbers of their own', () => {
  const meter = connected();
  const other = { client: clientAddress(1) };
  expect(kinds(meter, request(0, 0), toMeter(SNRM, other), request(0, 0, other), request(1, 1))).toEqual([
    'I',
    'UA',
    'I',
    'I',
  ]);
  expect(kinds(meter, toMeter(DISC, other), request(2, 2))).toEqual(['UA', 'I']);
});
