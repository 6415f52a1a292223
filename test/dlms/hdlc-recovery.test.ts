/** The client's end of an HDLC link: what was lost, doubled or refused on the way, and what is done about it. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import type { LinkOutput } from '../../src/dlms/link.ts';
import { eventsOf, failureOf, frame, meterFrame, sentFrames } from '../support/links.ts';

const SETTINGS = { client: 16, server: 1, physical: 17, addressSize: null, window: 1, infoLength: 128 } as const;
const REQUEST = fromHex('c001c100');
const I = (ns: number, nr: number): string => `I ${ns}/${nr} P e6e600c001c100`;

/** UA: receives `info` octets in a window of `window`, and sends the same. */
const uaInfo = (info: number, window: number): string => {
  const length = info.toString(16).padStart(4, '0');
  return `${`818014 0502${length} 0602${length} 070400000000`.slice(0, -1)}${window} 08040000000${window}`;
};

const connected = (settings: Partial<typeof SETTINGS> | object = {}, ua?: string): HdlcClientLink => {
  const link = new HdlcClientLink({ ...SETTINGS, ...settings });
  link.connect();
  expect(eventsOf(link.receive(frame.ua(ua)))).toEqual(['connected']);
  return link;
};

const thrownCode = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'nothing';
};

describe('recovery', () => {
  test('a lost request: enquiry, then the same number again', () => {
    const link = connected();
    link.send(REQUEST);
    expect(sentFrames(link.timeout())).toEqual(['RR 0 P']);
    expect(sentFrames(link.receive(frame.rr(0)))).toEqual([I(0, 0)]);
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['apdu c401']);
  });
  test('a lost answer: the enquiry brings it again', () => {
    const link = connected();
    link.send(REQUEST);
    expect(sentFrames(link.timeout())).toEqual(['RR 0 P']);
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['apdu c401']);
  });
  test('a meter that does not understand the enquiry gets the request again', () => {
    const link = connected();
    link.send(REQUEST);
    link.timeout();
    expect(sentFrames(link.timeout())).toEqual([I(0, 0)]);
    expect(failureOf(link.timeout())).toMatch(/^METER_TIMEOUT/);
  });
  test('a lost RR in a segmented answer', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700aa', '+'));
    expect(sentFrames(link.timeout())).toEqual(['RR 1 P']);
    expect(eventsOf(link.receive(frame.i(1, 1, 'bb')))).toEqual(['apdu aabb']);
  });
  test('a duplicate within an answer is acknowledged once and not delivered twice', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700aa', '+'));
    const again = link.receive(frame.i(0, 1, 'e6e700aa', '+'));
    expect(sentFrames(again)).toEqual(['RR 1 P']);
    expect(eventsOf(again)).toEqual(['discarded I-frame 0 while 1 is expected: duplicate']);
    expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700aa', '+')))).toEqual([]);
    expect(eventsOf(link.receive(frame.i(1, 1, 'bb')))).toEqual(['apdu aabb']);
  });
  test('a late copy of the last answer disturbs nothing', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700c401'));
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toHaveLength(1);
    link.send(REQUEST);
    expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual([]);
    expect(eventsOf(link.receive(frame.i(1, 2, 'e6e700c402')))).toEqual(['apdu c402']);
  });
  test('a missing frame in a window is asked for again', () => {
    const link = connected({ window: 3 }, uaInfo(128, 3));
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700a0', '+-'));
    expect(sentFrames(link.receive(frame.i(2, 1, 'a2')))).toEqual(['RR 1 P']);
    link.receive(frame.i(1, 1, 'a1', '+-'));
    expect(eventsOf(link.receive(frame.i(2, 1, 'a2')))).toEqual(['apdu a0a1a2']);
  });
  test('REJ brings the frames from N(R) on again', () => {
    const link = connected({ window: 3, infoLength: 32 }, uaInfo(32, 3));
    link.send(new Uint8Array(80));
    expect(sentFrames(link.receive(frame.rej(1))).map((text) => text.slice(0, 7))).toEqual(['I 1/0 -', 'I 2/0 P']);
  });
  test('a meter that never takes a frame is not sent it for ever', () => {
    const link = connected();
    link.send(REQUEST);
    const repeated = Array.from({ length: 10 }, () => sentFrames(link.receive(frame.rr(0)))).flat();
    expect(repeated).toEqual([I(0, 0), I(0, 0)]);
    link.timeout();
    link.timeout();
    expect(eventsOf(link.timeout())).toEqual(['failed METER_TIMEOUT']);
  });
  test('half an answer followed by a whole one: found at the time-out', () => {
    const link = connected();
    link.send(REQUEST);
    const answer = frame.i(0, 1, concat([fromHex('e6e700'), new Uint8Array(90)]));
    const short = frame.i(0, 1, 'e6e700c401');
    link.receive(concat([answer.subarray(0, 20), short]));
    const late = link.timeout();
    expect(eventsOf(late).filter((text) => !text.startsWith('discarded'))).toEqual(['apdu c401']);
    expect(late.send).toEqual([]);
  });
  test('FRMR and DM in mid-session: the link is lost', () => {
    const frmr = meterFrame({ frameType: 'FRMR', pollFinal: true }, { information: '100002' });
    for (const bytes of [frmr, frame.dm()]) {
      const link = connected();
      link.send(REQUEST);
      expect(failureOf(link.receive(bytes))).toMatch(/^LINK_LOST/);
      expect(thrownCode(() => link.send(REQUEST))).toBe('LINK_LOST');
    }
  });
  test('FRMR says why', () => {
    const link = connected();
    link.send(REQUEST);
    const frmr = meterFrame({ frameType: 'FRMR', pollFinal: true }, { information: '100004' });
    expect(failureOf(link.receive(frmr))).toContain('FRMR to I: information field too long');
  });
  test('an answer without end is refused', () => {
    const link = connected({ infoLength: 2030 }, uaInfo(2030, 1));
    link.send(REQUEST);
    const part = new Uint8Array(2030);
    let output: LinkOutput = { send: [], events: [] };
    for (let count = 0; count < 2200 && output.events.length === 0; count += 1) {
      output = link.receive(frame.i(count % 8, 1, part, '+'));
    }
    expect(eventsOf(output)).toEqual(['failed LIMIT_EXCEEDED']);
  });
});
