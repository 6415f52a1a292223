/** The server's end of an HDLC link, as a virtual meter uses it. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { clientAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { decodeFrame, encodeFrame, type HdlcControl, type HdlcFrame } from '../../src/dlms/hdlc/frame.ts';
import { decodeParameters, encodeParameters, symmetricParameters } from '../../src/dlms/hdlc/parameters.ts';
import { HdlcServerLink } from '../../src/dlms/hdlc/server-link.ts';
import { eventsOf, sentFrames } from '../support/links.ts';

const client = clientAddress(16);
const server = serverAddress(1, 17, null);

const command = (control: HdlcControl, information?: string | Uint8Array, segmented = false): HdlcFrame =>
  decodeFrame(
    encodeFrame({
      destination: server,
      source: client,
      control,
      segmented,
      information: typeof information === 'string' ? fromHex(information) : (information ?? null),
    }),
  );
const SNRM: HdlcControl = { frameType: 'SNRM', pollFinal: true };
const rr = (nr: number): HdlcFrame => command({ frameType: 'RR', nr, pollFinal: true });
const i = (ns: number, nr: number, information: string, flags = ''): HdlcFrame =>
  command({ frameType: 'I', ns, nr, pollFinal: !flags.includes('-') }, information, flags.includes('+'));

const unconnected = (infoLength = 128, window = 1): HdlcServerLink =>
  new HdlcServerLink({ client, server, parameters: symmetricParameters(infoLength, window), rejects: false });
const connected = (infoLength = 128, window = 1): HdlcServerLink => {
  const link = unconnected(infoLength, window);
  link.receive(command(SNRM, encodeParameters(symmetricParameters(infoLength, window))));
  return link;
};

describe('connection', () => {
  test('SNRM is answered by UA with the smaller of both limits', () => {
    const link = unconnected(100, 3);
    const output = link.receive(command(SNRM, encodeParameters(symmetricParameters(512, 2))));
    expect(eventsOf(output)).toEqual(['connected']);
    const { control, information } = decodeFrame(output.send[0] as Uint8Array);
    expect(control.frameType).toBe('UA');
    expect(decodeParameters(information as Uint8Array)).toEqual(symmetricParameters(100, 2));
  });
  test('SNRM without parameters means 128 and 1', () => {
    const link = unconnected(512, 7);
    link.receive(command(SNRM));
    expect(link.negotiated).toEqual({ sendInfoLength: 128, receiveInfoLength: 128, sendWindow: 1, receiveWindow: 1 });
  });
  test('SNRM with unreadable parameters is answered by FRMR', () => {
    expect(sentFrames(unconnected().receive(command(SNRM, '8180ff')))[0]).toMatch(/^FRMR/);
  });
  test.each([
    ['I', i(0, 0, 'e6e600c0')],
    ['RR', rr(0)],
    ['DISC', command({ frameType: 'DISC', pollFinal: true })],
  ])('%s before SNRM is answered by DM', (_, frame) => {
    expect(sentFrames(unconnected().receive(frame))).toEqual(['DM']);
  });
  test('DISC is answered by UA', () => {
    const output = connected().receive(command({ frameType: 'DISC', pollFinal: true }));
    expect([sentFrames(output), eventsOf(output)]).toEqual([['UA'], ['disconnected']]);
  });
  test('an unknown control octet is answered by FRMR', () => {
    const output = connected().receive(command({ frameType: 'unknown', octet: 0xe3, pollFinal: true }));
    expect([sentFrames(output)[0]?.slice(0, 4), eventsOf(output)]).toEqual(['FRMR', ['disconnected']]);
  });
});

describe('transfer', () => {
  test('request and answer', () => {
    const link = connected();
    expect(eventsOf(link.receive(i(0, 0, 'e6e600c001')))).toEqual(['apdu c001']);
    expect(sentFrames(link.send(fromHex('c401')))).toEqual(['I 0/1 P e6e700c401']);
    expect(eventsOf(link.receive(i(1, 1, 'e6e600c002')))).toEqual(['apdu c002']);
    expect(sentFrames(link.send(fromHex('c402')))).toEqual(['I 1/2 P e6e700c402']);
  });
  test('a segmented request: RR for each poll', () => {
    const link = connected();
    expect(sentFrames(link.receive(i(0, 0, 'e6e600aa', '+')))).toEqual(['RR 1 P']);
    expect(eventsOf(link.receive(i(1, 0, 'bb')))).toEqual(['apdu aabb']);
  });
  test('a segmented answer: the next window on each RR', () => {
    const link = connected(32, 2);
    link.receive(i(0, 0, 'e6e600c001'));
    const bursts = [link.send(new Uint8Array(100)), link.receive(rr(2))].map((output) =>
      sentFrames(output).map((text) => text.replace(/ [0-9a-f]{2,}/, '')),
    );
    expect(bursts).toEqual([
      ['I 0/1 - +', 'I 1/1 P +'],
      ['I 2/1 - +', 'I 3/1 P'],
    ]);
  });
  test('what a poll does not acknowledge is sent again', () => {
    const link = connected();
    link.receive(i(0, 0, 'e6e600c001'));
    const answer = sentFrames(link.send(fromHex('c401')));
    expect(sentFrames(link.receive(rr(0)))).toEqual(answer);
    expect(sentFrames(link.receive(i(0, 0, 'e6e600c001')))).toEqual(answer);
    expect(sentFrames(link.receive(rr(1)))).toEqual(['RR 1 P']);
  });
  test('a poll while the application works is answered by the answer, once', () => {
    const link = connected();
    link.receive(i(0, 0, 'e6e600c001'));
    expect(sentFrames(link.receive(rr(0)))).toEqual([]);
    expect(sentFrames(link.send(fromHex('c401')))).toEqual(['I 0/1 P e6e700c401']);
  });
  test('a duplicate request is not delivered twice', () => {
    const link = connected();
    link.receive(i(0, 0, 'e6e600c001'));
    expect(eventsOf(link.receive(i(0, 0, 'e6e600c001')))).toEqual([]);
  });
  test('a request that needs no answer gives the turn back', () => {
    const link = connected();
    link.receive(i(0, 0, 'e6e600c1'));
    expect(sentFrames(link.noAnswer())).toEqual(['RR 1 P']);
  });
  test('RNR holds the answer back', () => {
    const link = connected(32, 1);
    link.receive(i(0, 0, 'e6e600c001'));
    link.send(new Uint8Array(40));
    expect(sentFrames(link.receive(command({ frameType: 'RNR', nr: 1, pollFinal: true })))).toEqual(['RR 1 P']);
    expect(sentFrames(link.receive(rr(1)))[0]).toMatch(/^I 1\/1 P/);
  });
  test('information longer than negotiated is refused', () => {
    const link = connected(32, 1);
    const long = command({ frameType: 'I', ns: 0, nr: 0, pollFinal: true }, new Uint8Array(33));
    expect(sentFrames(link.receive(long))[0]).toMatch(/^FRMR/);
    expect(link.isConnected).toBe(false);
  });
  test('a notification goes out in UI frames', () => {
    const link = connected(32, 1);
    expect(sentFrames(link.notify(new Uint8Array(40))).map((text) => text.slice(0, 9))).toEqual([
      'UI e6e700',
      'UI 000000',
    ]);
  });
  test('UI from the client is delivered without an answer', () => {
    const output = connected().receive(command({ frameType: 'UI', pollFinal: false }, 'e6e600c1'));
    expect([sentFrames(output), eventsOf(output)]).toEqual([[], ['unsolicited c1']]);
  });
});
