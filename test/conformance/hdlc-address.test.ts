/** Addresses, in the manner of the conformance cases T_HDLC_ADDRESS N1, N4 and N7: who is not called does not answer. */
import { describe, expect, test } from 'vitest';
import { clientAddress, encodeAddress, serverAddress } from '../../src/dlms/hdlc/address.ts';
import { answers, kinds, meterEnd, SERVER, SNRM, toMeter } from './hdlc-server.ts';

describe('who is called answers', () => {
  test.each([
    ['in one octet', serverAddress(1, null, 1)],
    ['in two octets', serverAddress(1, 17, 2)],
    ['in four octets', serverAddress(1, 17, 4)],
  ])('%s, and in the same form', (_, server) => {
    const [ua] = answers(meterEnd(), toMeter(SNRM, { server }));
    expect(ua).toMatchObject({ control: { frameType: 'UA' }, source: server, destination: clientAddress(16) });
  });
});

describe('who is not called does not', () => {
  test.each([
    ['N1: another logical device', { server: serverAddress(2, 17, 2) }],
    ['N1: another physical device', { server: serverAddress(1, 18, 2) }],
    ['N4: a client that the meter does not know', { client: clientAddress(99) }],
    ['N4: the client "no station"', { client: clientAddress(0) }],
    ['N7: a client address of two octets', { client: serverAddress(16, 1, 2) }],
  ])('%s', (_, parts) => {
    const meter = meterEnd();
    expect(kinds(meter, toMeter(SNRM, parts))).toEqual([]);
    expect(kinds(meter, toMeter(SNRM))).toEqual(['UA']);
  });
  test('N7: an address that does not end', () => {
    const snrm = toMeter(SNRM);
    const at = 3;
    expect([...snrm.subarray(at, at + 2)]).toEqual([...encodeAddress(SERVER)]);
    const meter = meterEnd();
    expect(kinds(meter, snrm.with(at + 1, snrm[at + 1]! & 0xfe))).toEqual([]);
    meter.silence();
    expect(kinds(meter, snrm)).toEqual(['UA']);
  });
});
