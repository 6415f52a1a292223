/**
 * What real HDLC lines have shown, case by case: each has its number in the list of cases that this project keeps, and what
 * must come of it. Details of links and frames stand in the other tests; here is one proof for each case.
 */
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import {
  answersFor,
  clientAddress,
  decodeAddress,
  encodeAddress,
  physicalFromSerialNumber,
  serverAddress,
} from '../../src/dlms/hdlc/address.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { crc16 } from '../../src/dlms/hdlc/crc.ts';
import { HdlcDeframer } from '../../src/dlms/hdlc/deframer.ts';
import { decodeControl, decodeFormat, decodeFrame, encodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { decodeParameters, encodeParameters, negotiated, symmetricParameters } from '../../src/dlms/hdlc/parameters.ts';
import { HdlcServerLink } from '../../src/dlms/hdlc/server-link.ts';
import { codeOf } from '../support/error-code.ts';
import { eventsOf, failureOf, frame, meterFrame, sentFrames } from '../support/links.ts';

const SHORT = '7ea0070341935a647e';
const FLAG_IN_FCS = '7ea01b0300023c4752d551e6e700c401c10009060100202000ff7e8c7e';
const SETTINGS = { client: 16, server: 1, physical: 17, addressSize: null, window: 1, infoLength: 128 } as const;
const REQUEST = fromHex('c001c100');

const framesIn = (...portions: readonly Uint8Array[]): string[] => {
  const deframer = new HdlcDeframer();
  const items = [...portions.flatMap((portion) => deframer.push(portion)), ...deframer.flush()];
  return items.flatMap((item) => (item.kind === 'frame' ? [toHex(encodeFrame(item.frame))] : []));
};
const connected = (settings: Partial<typeof SETTINGS> | object = {}, ua?: string): HdlcClientLink => {
  const link = new HdlcClientLink({ ...SETTINGS, ...settings });
  link.connect();
  link.receive(frame.ua(ua));
  return link;
};
const asking = (settings?: object, ua?: string): HdlcClientLink => {
  const link = connected(settings, ua);
  link.send(REQUEST);
  return link;
};
const ANSWER = 'e6e700c401';
const delivered = (link: HdlcClientLink, ...frames: readonly Uint8Array[]): string[] =>
  frames.flatMap((bytes) => eventsOf(link.receive(bytes))).filter((event) => !event.startsWith('discarded'));

const CASES: Readonly<Record<string, () => void>> = {
  '1: type 0xA, the length leaves the flags out': () => {
    expect(decodeFrame(fromHex(SHORT))).toMatchObject({
      frameFormatType: 3,
      length: 7,
      control: { frameType: 'SNRM' },
    });
  },
  '2: CRC-16/X-25, low octet first, residue F0B8': () => {
    expect(crc16(fromHex('a0070341935a64')) ^ 0xffff).toBe(0xf0b8);
    expect(decodeFrame(fromHex(SHORT)).fcs).toBe(0x645a);
  },
  '3: format word: type, segmentation, length of eleven bits': () => {
    expect(decodeFormat(fromHex('afff'))).toEqual({ frameFormatType: 3, segmented: true, length: 0x7ff });
    expect(decodeFormat(fromHex('a1fe'))).toEqual({ frameFormatType: 3, segmented: false, length: 0x1fe });
    expect(codeOf(() => decodeFormat(fromHex('9007')))).toBe('MALFORMED');
  },
  '4: no information field, no HCS': () => {
    expect(decodeFrame(fromHex(SHORT))).toMatchObject({ hcs: null, information: null });
  },
  '5: 7E inside of the check sequence': () => {
    expect(framesIn(fromHex(FLAG_IN_FCS))).toEqual([FLAG_IN_FCS]);
  },
  '6: nothing is stuffed': () => {
    const bytes = frame.ui('e6e7007e7d7e7d5e');
    expect(toHex(bytes)).toContain('7e7d7e7d5e');
    expect(framesIn(bytes)).toEqual([toHex(bytes)]);
  },
  '7: one flag closes and opens; two are fine too': () => {
    expect(framesIn(fromHex(SHORT), fromHex(SHORT.slice(2)))).toEqual([SHORT, SHORT]);
    expect(framesIn(fromHex(SHORT), fromHex('7e7e'), fromHex(SHORT))).toEqual([SHORT, SHORT]);
  },
  '8: addresses of one, two and four octets; three do not exist': () => {
    expect(['03', '0223', '00020023'].map((hex) => decodeAddress(fromHex(hex)).length)).toEqual([1, 2, 4]);
    expect(codeOf(() => decodeAddress(fromHex('020203')))).toBe('MALFORMED');
  },
  '9: upper, then lower with the last bit set': () => {
    expect(toHex(encodeAddress(serverAddress(1, 17, 2)))).toBe('0223');
  },
  '10: who calls all stations or whoever is there is answered by anybody': () => {
    for (const lower of [0x7f, 0x7e])
      expect(answersFor(serverAddress(1, lower, 2), serverAddress(1, 18, 2))).toBe(true);
    for (const lower of [0x3fff, 0x3ffe]) {
      expect(answersFor(serverAddress(1, lower, 4), serverAddress(1, 18, 2))).toBe(true);
    }
    expect(toHex(encodeAddress(clientAddress(0x10)))).toBe('21');
  },
  '11: serial number to address': () => expect(physicalFromSerialNumber(87654321)).toBe(5321),
  '12: a longer address form in the answer': () => {
    const source = serverAddress(1, 17, 4);
    const answer = meterFrame({ frameType: 'I', ns: 0, nr: 1, pollFinal: true }, { information: ANSWER, source });
    expect(delivered(asking(), answer)).toEqual(['apdu c401']);
  },
  '13: lengths in one or two octets, windows in four': () => {
    expect(toHex(encodeParameters(symmetricParameters(128, 1)))).toBe(
      '8180120501800601800704000000010804' + '00000001',
    );
    expect(toHex(encodeParameters(symmetricParameters(512, 7)))).toBe(
      '8180140502020006020200070400000007' + '080400000007',
    );
  },
  '14 and 15: what the meter can receive is what we may send': () => {
    const ua = fromHex('8180120501800601 3e070400000001080400000001');
    const limits = negotiated(symmetricParameters(2030, 7), decodeParameters(ua));
    expect(limits).toEqual({ sendInfoLength: 62, receiveInfoLength: 128, sendWindow: 1, receiveWindow: 1 });
    const link = connected({ infoLength: 2030 }, toHex(ua));
    const [first] = link.send(new Uint8Array(200)).send;
    expect(decodeFrame(first as Uint8Array).information).toHaveLength(62);
  },
  '16: a UA without information means 128 and 1': () => {
    expect(connected({ window: 7, infoLength: 1024 }).negotiated).toMatchObject({ sendInfoLength: 128, sendWindow: 1 });
  },
  '17: DM to an SNRM with parameters: again without': () => {
    const link = new HdlcClientLink({ ...SETTINGS, window: 3 });
    link.connect();
    const [snrm] = link.receive(frame.dm()).send;
    expect(decodeFrame(snrm as Uint8Array)).toMatchObject({ control: { frameType: 'SNRM' }, information: null });
  },
  '18: a meter that grants a window beyond seven gets seven': () => {
    const theirs = { ...symmetricParameters(2030, 9) };
    expect(negotiated(symmetricParameters(2030, 9), theirs)).toMatchObject({ sendWindow: 7, receiveWindow: 7 });
  },
  '19 and 20: control octets': () => {
    const name = (octet: number): string => decodeControl(octet).frameType;
    expect([0x93, 0x73, 0x53, 0x1f, 0x97, 0x03, 0x13].map(name)).toEqual([
      'SNRM',
      'UA',
      'DISC',
      'DM',
      'FRMR',
      'UI',
      'UI',
    ]);
    expect([0x11, 0x31, 0xf5, 0x19].map(name)).toEqual(['RR', 'RR', 'RNR', 'REJ']);
  },
  '21: I frame: N(R), P/F, N(S)': () => {
    expect(decodeControl((5 << 5) | 0x10 | (3 << 1))).toEqual({ frameType: 'I', ns: 3, nr: 5, pollFinal: true });
  },
  '22: RR after each window of a segmented answer': () => {
    const link = asking();
    expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700aa', '+')))).toEqual(['RR 1 P']);
    expect(delivered(link, frame.i(1, 1, 'bb'))).toEqual(['apdu aabb']);
  },
  '23: a segmented request waits for RR': () => {
    const link = connected({ infoLength: 32 }, '818012050120060120070400000001080400000001');
    expect(link.send(new Uint8Array(60)).send).toHaveLength(1);
    expect(link.receive(frame.rr(1)).send).toHaveLength(1);
  },
  '24: a window beyond one: no F until the last, and also never': () => {
    const ua = '818014050200800602008007040000000308040000' + '0003';
    for (const last of ['', '-'] as const) {
      const link = asking({ window: 3 }, ua);
      expect(delivered(link, frame.i(0, 1, 'e6e700aa', '+-'), frame.i(1, 1, 'bb', last))).toEqual(['apdu aabb']);
    }
  },
  '25: a duplicate is acknowledged and not delivered': () => {
    const link = asking();
    link.receive(frame.i(0, 1, 'e6e700aa', '+'));
    expect(sentFrames(link.receive(frame.i(0, 1, 'e6e700aa', '+')))).toEqual(['RR 1 P']);
    expect(delivered(link, frame.i(1, 1, 'bb'))).toEqual(['apdu aabb']);
  },
  '26: FRMR says why; connecting anew begins at 0': () => {
    const link = asking();
    const frmr = meterFrame({ frameType: 'FRMR', pollFinal: true }, { information: '105002' });
    expect(failureOf(link.receive(frmr))).toContain('FRMR to I: information field not permitted');
    link.connect();
    link.receive(frame.ua());
    expect(sentFrames(link.send(REQUEST))).toEqual(['I 0/0 P e6e600c001c100']);
  },
  '27: DM in mid-session': () => expect(failureOf(asking().receive(frame.dm()))).toMatch(/^LINK_LOST/),
  '28: a corrupt HCS: discarded, and the frame behind it found': () => {
    const bad = frame.i(0, 1, ANSWER);
    bad[7]! ^= 0xff;
    expect(delivered(asking(), bad, frame.i(0, 1, ANSWER))).toEqual(['apdu c401']);
  },
  '29: keep-alive with RR': () => {
    const link = connected();
    expect(sentFrames(link.keepAlive())).toEqual(['RR 0 P']);
    expect(delivered(link, frame.rr(0))).toEqual(['alive']);
  },
  '30: gaps between octets mean nothing, the length does': () => {
    const link = asking();
    const octets = [...frame.i(0, 1, ANSWER)].map((octet) => Uint8Array.of(octet));
    expect(delivered(link, ...octets)).toEqual(['apdu c401']);
  },
  '31: DISC answered by UA or DM': () => {
    for (const answer of [frame.ua(), frame.dm()]) {
      const link = connected();
      link.disconnect();
      expect(delivered(link, answer)).toEqual(['disconnected']);
    }
  },
  '32: I before SNRM is answered by DM': () => {
    const [client, server] = [clientAddress(16), serverAddress(1, 17, null)];
    const link = new HdlcServerLink({ client, server, parameters: symmetricParameters(128, 1), rejects: false });
    const control = { frameType: 'I', ns: 0, nr: 0, pollFinal: true } as const;
    const bytes = meterFrame(control, { information: 'e6e600c0', source: client, destination: server });
    expect(sentFrames(link.receive(decodeFrame(bytes)))).toEqual(['DM']);
  },
  '33: a UI push between request and answer': () => {
    const frames = [frame.ui('e6e7000f00'), frame.i(0, 1, ANSWER)];
    expect(delivered(asking(), ...frames)).toEqual(['unsolicited 0f00', 'apdu c401']);
  },
  '34: junk before the first flag': () => {
    expect(framesIn(fromHex('00ffc37e'), fromHex(SHORT.slice(2)))).toEqual([SHORT]);
    expect(delivered(asking(), concat([fromHex('ff00a0'), frame.i(0, 1, ANSWER)]))).toEqual(['apdu c401']);
  },
};

describe('corner case', () => {
  for (const [name, prove] of Object.entries(CASES)) test(name, prove);
});
