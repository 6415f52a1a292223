/**
 * Frames, right and wrong, in the manner of the conformance cases T_HDLC_FRAME P1-P3 and N1-N8: what is wrong is not answered,
 * and does not stand in the way of what is right. The same octets go to a virtual meter and to our client.
 */
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { eventsOf, frame } from '../support/links.ts';
import { altered, answers, i, kinds, meterEnd, REQUEST, SNRM, toMeter } from './hdlc-server.ts';

const SETTINGS = { client: 16, server: 1, physical: 17, addressSize: null, window: 1, infoLength: 128 } as const;

/** What a client makes of octets while it awaits an answer; what it discards is left out. */
const clientHears = (...octets: readonly Uint8Array[]): string[] => {
  const link = new HdlcClientLink(SETTINGS);
  link.connect();
  link.receive(frame.ua());
  link.send(fromHex('c001'));
  return octets.flatMap((part) => eventsOf(link.receive(part))).filter((event) => !event.startsWith('discarded'));
};
const ANSWER = frame.i(0, 1, 'e6e700c401c100');
const HEARD = ['apdu c401c100'];
const octetsOf = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((octet) => Uint8Array.of(octet));

describe('P: right frames, however they arrive', () => {
  const shapes: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array[]>> = {
    'P1: whole': (bytes) => [bytes],
    'P2: with idle flags before and behind': (bytes) => [concat([fromHex('7e7e7e'), bytes, fromHex('7e7e')])],
    'P3: octet by octet': octetsOf,
  };
  test.each(Object.entries(shapes))('%s', (_, shape) => {
    const meter = meterEnd();
    expect(shape(toMeter(SNRM)).flatMap((part) => kinds(meter, part))).toEqual(['UA']);
    expect(shape(toMeter(i(0, 0), { information: REQUEST })).flatMap((part) => kinds(meter, part))).toEqual(['I']);
    expect(clientHears(...shape(ANSWER))).toEqual(HEARD);
  });
});

const WRONG: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  'N1: a wrong FCS': (bytes) => bytes.with(bytes.length - 2, bytes[bytes.length - 2]! ^ 0xff),
  'N2: a wrong HCS': (bytes) => altered(bytes, 8, bytes[8]! ^ 0x01),
  'N3: another format type': (bytes) => altered(bytes, 1, 0x90 | (bytes[1]! & 0x0f)),
  'N4: another octet in place of the opening flag': (bytes) => bytes.with(0, 0x7f),
  'N5: no closing flag, and idle octets behind': (bytes) => concat([bytes.subarray(0, -1), fromHex('ffffffff')]),
  'N6: a length that is too small': (bytes) => bytes.with(2, bytes[2]! - 1),
  'N7: a length that is too large': (bytes) => bytes.with(2, bytes[2]! + 1),
  'N8: cut in the middle': (bytes) => bytes.subarray(0, bytes.length >> 1),
};

describe('N: wrong frames are not answered, and the right one behind them is', () => {
  test.each(Object.entries(WRONG))('%s', (_, spoil) => {
    const meter = meterEnd();
    expect(kinds(meter, toMeter(SNRM))).toEqual(['UA']);
    const request = toMeter(i(0, 0), { information: REQUEST });
    expect(kinds(meter, spoil(request))).toEqual([]);
    meter.silence();
    expect(kinds(meter, request)).toEqual(['I']);

    expect(clientHears(spoil(ANSWER))).toEqual([]);
  });
  test.each(Object.entries(WRONG))('%s, with the right one right behind it', (_, spoil) => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    link.receive(frame.ua());
    link.send(fromHex('c001'));
    const events = [...eventsOf(link.receive(concat([spoil(ANSWER), ANSWER]))), ...eventsOf(link.timeout())];
    expect(events.filter((event) => !event.startsWith('discarded'))).toEqual(HEARD);
  });
  test('every single bit of a frame', () => {
    const meter = meterEnd();
    kinds(meter, toMeter(SNRM));
    const request = toMeter(i(0, 0), { information: REQUEST });
    for (let bit = 8; bit < (request.length - 1) * 8; bit += 1) {
      const wrong = request.with(bit >> 3, request[bit >> 3]! ^ (1 << (bit & 7)));
      expect(kinds(meter, wrong)).toEqual([]);
      meter.silence();
    }
    expect(answers(meter, request)[0]?.control).toMatchObject({ frameType: 'I', ns: 0, nr: 1 });
  });
});
