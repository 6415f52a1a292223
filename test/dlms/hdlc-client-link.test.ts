/** The client's end of an HDLC link: connection, transfer, recovery, addresses, and what silence means. */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { clientAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { decodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { decodeParameters } from '../../src/dlms/hdlc/parameters.ts';
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

describe('connecting', () => {
  test('the SNRM always carries parameters', () => {
    const link = new HdlcClientLink({ ...SETTINGS, window: 3, infoLength: 512 });
    const [snrm] = link.connect().send;
    const { information, destination, source } = decodeFrame(snrm as Uint8Array);
    expect({ destination, source }).toEqual({
      destination: { upper: 1, lower: 17, length: 2 },
      source: { upper: 16, lower: null, length: 1 },
    });
    expect(decodeParameters(information as Uint8Array)).toEqual({
      maxInfoFieldLengthTransmit: 512,
      maxInfoFieldLengthReceive: 512,
      windowSizeTransmit: 3,
      windowSizeReceive: 3,
    });
  });
  test('a UA speaks from the meter’s view: what it can receive is what we may send', () => {
    const link = connected({ window: 7, infoLength: 1024 }, '818012050180 06013e 070400000003 080400000001');
    expect(link.negotiated).toEqual({ sendInfoLength: 62, receiveInfoLength: 128, sendWindow: 1, receiveWindow: 3 });
  });
  test('a UA without information means 128 and 1', () => {
    const link = connected({ window: 7, infoLength: 1024 });
    expect(link.negotiated).toEqual({ sendInfoLength: 128, receiveInfoLength: 128, sendWindow: 1, receiveWindow: 1 });
  });
  test('a meter that grants more than we asked for gets no more than we asked for', () => {
    expect(connected({}, uaInfo(512, 7)).negotiated).toMatchObject({ sendInfoLength: 128, sendWindow: 1 });
  });
  test('DM to an SNRM with parameters: once without', () => {
    const link = new HdlcClientLink({ ...SETTINGS, infoLength: 512 });
    link.connect();
    const again = link.receive(frame.dm());
    expect(again.send.map((bytes) => decodeFrame(bytes).information)).toEqual([null]);
    expect(eventsOf(link.receive(frame.ua()))).toEqual(['connected']);
    expect(link.negotiated.sendInfoLength).toBe(128);
  });
  test('DM to both: refused', () => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    link.receive(frame.dm());
    expect(eventsOf(link.receive(frame.dm()))).toEqual(['failed LINK_REFUSED']);
  });
  test('silence: two more SNRM, then METER_TIMEOUT', () => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    expect(sentFrames(link.timeout())).toEqual(['SNRM']);
    expect(sentFrames(link.timeout())).toEqual(['SNRM']);
    expect(failureOf(link.timeout())).toBe('METER_TIMEOUT: no octet of UA to the SNRM came in time');
  });
  test('a UA that cannot be read fails the link', () => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    expect(eventsOf(link.receive(frame.ua('8180ff05')))).toEqual(['failed MALFORMED']);
  });
  test('connecting anew begins with number 0 (a second client may have broken the link)', () => {
    const link = connected();
    link.send(REQUEST);
    link.receive(frame.i(0, 1, 'e6e700c401'));
    link.connect();
    link.receive(frame.ua());
    expect(sentFrames(link.send(REQUEST))).toEqual([I(0, 0)]);
  });
});

describe('request and answer', () => {
  test('numbers rise modulo 8, LLC goes out and is taken off', () => {
    const link = connected();
    for (let count = 0; count < 20; count += 1) {
      const [ns, nr] = [count % 8, (count + 1) % 8];
      expect(sentFrames(link.send(REQUEST))).toEqual([I(ns, ns)]);
      expect(eventsOf(link.receive(frame.i(ns, nr, 'e6e700c401c100')))).toEqual(['apdu c401c100']);
    }
  });
  test('an answer without LLC, without the final bit, octet by octet, from a longer address form', () => {
    const link = connected();
    link.send(REQUEST);
    const answer = meterFrame(
      { frameType: 'I', ns: 0, nr: 1, pollFinal: false },
      { information: 'c401c100', source: serverAddress(1, 17, 4) },
    );
    const events = [...answer].flatMap((octet) => eventsOf(link.receive(Uint8Array.of(octet))));
    expect(events).toEqual(['apdu c401c100']);
  });
  test('a segmented answer: RR after each frame of a window of 1, LLC in the first only', () => {
    const link = connected();
    link.send(REQUEST);
    expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700aa', '+')))).toEqual(['RR 1 P']);
    expect(sentFrames(link.receive(frame.i(1, 1, 'e6e700bb', '+')))).toEqual(['RR 2 P']);
    expect(eventsOf(link.receive(frame.i(2, 1, 'cc')))).toEqual(['apdu aae6e700bbcc']);
  });
  test('a window of 3: one RR for three frames, with or without the final bit', () => {
    for (const last of ['+', '+-'] as const) {
      const link = connected({ window: 3 }, uaInfo(128, 3));
      link.send(REQUEST);
      expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700a0', '+-')))).toEqual([]);
      expect(sentFrames(link.receive(frame.i(1, 1, 'a1', '+-')))).toEqual([]);
      expect(sentFrames(link.receive(frame.i(2, 1, 'a2', last)))).toEqual(['RR 3 P']);
      expect(eventsOf(link.receive(frame.i(3, 1, 'a3')))).toEqual(['apdu a0a1a2a3']);
    }
  });
  test('a long request goes out in what the meter can receive, each segment awaiting its RR', () => {
    const link = connected({}, '818012050180 060120 070400000001 080400000001');
    const apdu = Uint8Array.from({ length: 70 }, (_, index) => index);
    const whole = toHex(concat([fromHex('e6e600'), apdu]));
    const sent = [link.send(apdu), link.receive(frame.rr(1)), link.receive(frame.rr(2))].flatMap(sentFrames);
    expect(sent).toEqual([
      `I 0/0 P ${whole.slice(0, 64)} +`,
      `I 1/0 P ${whole.slice(64, 128)} +`,
      `I 2/0 P ${whole.slice(128)}`,
    ]);
    expect(eventsOf(link.receive(frame.i(0, 3, 'e6e700c401')))).toEqual(['apdu c401']);
  });
  test('a window of 3 in sending: only the last of a burst polls', () => {
    const link = connected({ window: 3, infoLength: 32 }, uaInfo(32, 3));
    const frames = [link.send(new Uint8Array(125)), link.receive(frame.rr(3))].flatMap(sentFrames);
    expect(frames.map((text) => text.replace(/ [0-9a-f]{2,}/, ''))).toEqual([
      'I 0/0 - +',
      'I 1/0 - +',
      'I 2/0 P +',
      'I 3/0 P',
    ]);
  });
  test('one APDU after the other, and only on a link that stands', () => {
    const link = new HdlcClientLink(SETTINGS);
    expect(thrownCode(() => link.send(REQUEST))).toBe('LINK_LOST');
    link.connect();
    link.receive(frame.ua());
    const numbers = (output: LinkOutput): string[] => sentFrames(output).map((text) => text.slice(0, 7));
    expect(numbers(link.send(REQUEST))).toEqual(['I 0/0 P']);
    expect(numbers(link.send(REQUEST))).toEqual([]);
    expect(link.isSettled).toBe(false);
    expect(numbers(link.receive(frame.rr(1)))).toEqual(['I 1/0 P']);
    expect(eventsOf(link.receive(frame.i(0, 2, 'e6e700c401')))).toEqual(['apdu c401']);
    expect(link.isSettled).toBe(true);
  });
  test('one more APDU after the answer is polled for, unless the meter still has its turn', () => {
    const link = connected();
    link.send(REQUEST);
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['apdu c401']);
    expect(sentFrames(link.listen())).toEqual(['RR 1 P']);
    expect(sentFrames(link.listen())).toEqual([]);
    expect(eventsOf(link.receive(frame.i(1, 1, 'e6e700c402')))).toEqual(['apdu c402']);
    link.listen();
    expect(sentFrames(link.timeout())).toEqual(['RR 2 P']);
    link.timeout();
    expect(failureOf(link.timeout())).toMatch(/^METER_TIMEOUT/);
  });
  test('a meter that is not ready yet is polled, but not for ever', () => {
    const link = connected();
    link.send(REQUEST);
    const polls = Array.from({ length: 50 }, () => sentFrames(link.receive(frame.rr(1)))).flat();
    expect(polls).toEqual(Array(20).fill('RR 0 P'));
    expect(sentFrames(link.timeout())).toEqual(['RR 0 P']);
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['apdu c401']);
  });
  test('RNR holds back what is unsent', () => {
    const link = connected({ infoLength: 32 }, uaInfo(32, 1));
    link.send(new Uint8Array(40));
    expect(sentFrames(link.receive(frame.rnr(1)))).toEqual(['RR 0 P']);
    expect(sentFrames(link.receive(frame.rr(1)))[0]).toMatch(/^I 1\/0 P/);
  });
});

describe('unasked', () => {
  test('UI comes between request and answer', () => {
    const link = connected();
    link.send(REQUEST);
    expect(eventsOf(link.receive(frame.ui('e6e7000f00')))).toEqual(['unsolicited 0f00']);
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['apdu c401']);
  });
  test('segmented UI frames are one APDU', () => {
    const link = connected();
    expect(eventsOf(link.receive(frame.ui('e6e7000f01', '+')))).toEqual([]);
    expect(eventsOf(link.receive(frame.ui('0203')))).toEqual(['unsolicited 0f010203']);
  });
  test('an I-frame that nobody asked for', () => {
    const link = connected();
    expect(eventsOf(link.receive(frame.i(0, 0, 'e6e7000f00')))).toEqual(['unsolicited 0f00']);
    expect(sentFrames(link.send(REQUEST))).toEqual([I(0, 1)]);
  });
});

describe('whose frame', () => {
  test('own echo is dropped', () => {
    const link = new HdlcClientLink(SETTINGS);
    const [snrm] = link.connect().send;
    expect(eventsOf(link.receive(snrm as Uint8Array))).toEqual(['discarded own echo']);
    expect(eventsOf(link.receive(frame.ua()))).toEqual(['connected']);
  });
  test('own echo is dropped where client and server have the same address', () => {
    const own = clientAddress(1);
    const link = new HdlcClientLink({ ...SETTINGS, client: 1, server: 1, physical: null });
    const answer = (control: Parameters<typeof meterFrame>[0], information?: string): Uint8Array =>
      meterFrame(control, { source: own, destination: own, ...(information === undefined ? {} : { information }) });
    const snrm = link.connect().send;
    expect(eventsOf(link.receive(concat(snrm)))).toEqual(['discarded own echo']);
    expect(eventsOf(link.receive(answer({ frameType: 'UA', pollFinal: true })))).toEqual(['connected']);
    const request = link.send(REQUEST).send;
    expect(eventsOf(link.receive(concat(request)))).toEqual(['discarded own echo']);
    const enquiry = link.timeout().send;
    expect(eventsOf(link.receive(concat(enquiry)))).toEqual(['discarded own echo']);
    const reply = answer({ frameType: 'I', ns: 0, nr: 1, pollFinal: true }, 'e6e700c401');
    expect(eventsOf(link.receive(reply))).toEqual(['apdu c401']);
  });
  test('another meter’s answer is dropped, and named when nothing else comes', () => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    const other = meterFrame({ frameType: 'UA', pollFinal: true }, { source: serverAddress(1, 18, null) });
    expect(eventsOf(link.receive(other))).toEqual(['discarded other address: server 1/18 to client 16']);
    link.timeout();
    link.timeout();
    expect(failureOf(link.timeout())).toBe(
      'WRONG_ADDRESS: asked server 1/17 as client 16, but server 1/18 to client 16 answered',
    );
  });
});

describe('what silence means', () => {
  const afterHearing = (bytes: Uint8Array): string => {
    const link = new HdlcClientLink(SETTINGS);
    link.connect();
    link.receive(bytes);
    link.timeout();
    link.timeout();
    return failureOf(link.timeout());
  };
  test('octets without a frame are garbage', () => {
    expect(afterHearing(fromHex('2f3f210d0a'))).toMatch(/^METER_GARBAGE: 5 octets came/);
  });
  test('a frame that is always corrupt is garbage, with the reason', () => {
    const bytes = frame.ua();
    bytes[bytes.length - 2]! ^= 0x55;
    expect(afterHearing(bytes)).toContain('check sequence');
  });
  test('a wrapper header is another framing', () => {
    expect(afterHearing(fromHex('0001000100100003d80101'))).toMatch(/^WRONG_FRAMING: .*wrapper/);
  });
  test('only the echo', () => {
    const link = new HdlcClientLink(SETTINGS);
    for (const output of [link.connect(), link.timeout(), link.timeout()]) link.receive(concat(output.send));
    expect(failureOf(link.timeout())).toContain('only the echo');
  });
  test('garbage for ever does not grow memory', () => {
    const link = connected();
    link.send(REQUEST);
    const garbage = new Uint8Array(65536).fill(0x7e).map((octet, index) => (index % 3 === 0 ? octet : 0xa7));
    for (let count = 0; count < 20; count += 1) link.receive(garbage);
    expect(failureOf(link.timeout())).toBe('no failure');
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401'))).at(-1)).toBe('apdu c401');
  });
});

describe('disconnecting', () => {
  test.each([
    ['UA', frame.ua()],
    ['DM', frame.dm()],
  ])('DISC answered by %s', (_, bytes) => {
    const link = connected();
    expect(sentFrames(link.disconnect())).toEqual(['DISC']);
    expect(eventsOf(link.receive(bytes))).toEqual(['disconnected']);
  });
  test('DISC unanswered', () => {
    const link = connected();
    link.disconnect();
    expect(sentFrames(link.timeout())).toEqual(['DISC']);
    link.timeout();
    expect(eventsOf(link.timeout())).toEqual(['failed METER_TIMEOUT']);
  });
  test('a link that does not stand is disconnected at once', () => {
    expect(new HdlcClientLink(SETTINGS).disconnect()).toEqual({ send: [], events: [{ kind: 'disconnected' }] });
  });
  test('what comes late is told and ignored', () => {
    const link = connected();
    link.send(REQUEST);
    link.disconnect();
    expect(eventsOf(link.receive(frame.i(0, 1, 'e6e700c401')))).toEqual(['discarded I while disconnecting']);
    link.receive(frame.ua());
    expect(eventsOf(link.receive(frame.ua()))).toEqual(['discarded UA while disconnected']);
    expect(link.timeout()).toEqual({ send: [], events: [] });
  });
});
