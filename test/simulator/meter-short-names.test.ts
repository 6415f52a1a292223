/** The server of short names, octet by octet: what it grants, blocks with lost, repeated and wrong numbers, and refusals. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter, fromHex, toHex } from '../../src/core/bytes.ts';
import { type Data, dataBytes } from '../../src/dlms/axdr/data.ts';
import { type Apdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import type { ConformanceBit } from '../../src/dlms/xdlms/conformance.ts';
import { writeRequest } from '../../src/dlms/xdlms/short-name.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { aareIn, aarq, apduIn, associated, model, NOW } from './meter-support.ts';

const BITS: readonly ConformanceBit[] = [
  'read',
  'write',
  'unconfirmed-write',
  'parameterized-access',
  'multiple-references',
  'block-transfer-with-get-or-read',
  'block-transfer-with-set-or-write',
];
const meter = model({ referencing: 'sn', maxPdu: 8000 });
const open = (bits = BITS, maxPdu = 65535): CosemServer => associated(16, { referencing: 'sn', bits, maxPdu }, meter);
const say = (server: CosemServer, request: Apdu | string): string => {
  const octets = typeof request === 'string' ? fromHex(request) : encodeApdu(request);
  const { apdu } = server.receive(octets, NOW);
  return apdu === null ? 'silence' : toHex(apdu);
};

const named = (obis: string): number => {
  const found = meter.shortNames?.named(meter.objects).find((one) => one.obis === obis);
  if (found === undefined) throw new Error(`no ${obis}`);
  return found.baseName;
};
const NOTES = named('0.0.96.50.0.255') + 8;
const hex4 = (name: number): string => name.toString(16).padStart(4, '0');

describe('association', () => {
  test('grants its services and names itself FA00', () => {
    const { userInformation } = aareIn(
      new CosemServer(meter, 16).receive(aarq({ referencing: 'sn', bits: BITS }), NOW).apdu,
    );
    const decoded = userInformation?.decoded;
    if (decoded?.apdu !== 'initiateResponse') throw new Error('an initiateResponse was expected');
    expect(decoded.vaaName).toBe('fa00');
    expect(decoded.negotiatedConformance.bits.toSorted()).toEqual(BITS.toSorted());
  });

  test('is at FA00: its logical name, object list and rights can be read', () => {
    const server = open();
    expect(say(server, '050102fa00')).toBe('0c010009060000280000ff');
    expect(say(server, '050102fa08')).toMatch(/^0c010001..020410fa00/);
    expect(say(server, '050102fa10')).toMatch(/^0c010001..020310fa00/);
  });

  test('what was not granted, and GET, are not known', () => {
    expect(say(open(), 'c001c1000f0000280000ff0200')).toBe('d80202');
    const bare = open(['read']);
    expect(say(bare, '050202fa0002fa08')).toBe('d80202');
    expect(say(bare, '050104fa080100')).toBe('d80202');
    expect(say(bare, '0601020008011105')).toBe('d80202');
    expect(say(bare, '16010200080111' + '05')).toBe('d80202');
  });
});

describe('Read', () => {
  test('what nobody has, or has no selector, is refused by itself', () => {
    expect(say(open(), `050302000004fa080100` + '02fa00')).toBe('0c0301040' + '10d' + '0009060000280000ff');
  });

  test('an answer in blocks, and every wrong number', () => {
    const whole = say(open(), '050102fa08').slice(2);
    const server = open(BITS, 100);
    let joined = '';
    let answer = apduIn(fromHex(say(server, '050102fa08')));
    for (let number = 1; ; number += 1) {
      const [result] = answer.apdu === 'readResponse' ? answer.results : [];
      if (result === undefined || !('dataBlockResult' in result)) throw new Error('a block was expected');
      expect(encodeApdu(answer).length).toBeLessThanOrEqual(100);
      expect(result.dataBlockResult.blockNumber).toBe(number);
      joined += toHex(result.dataBlockResult.rawData);
      if (result.dataBlockResult.lastBlock) break;
      answer = apduIn(fromHex(say(server, `05010500${number.toString(16).padStart(2, '0')}`)));
    }
    expect(joined).toBe(whole);
    // none is under way any more
    expect(say(server, '0501050001')).toBe('0c010110');
    for (const wrong of ['0000', '0002', 'ffff']) {
      say(server, '050102fa08');
      expect(say(server, `050105${wrong}`)).toBe('0c010113');
      expect(say(server, '0501050001')).toBe('0c010110');
    }
  });

  test('without blocks an answer that is too long is refused', () => {
    expect(say(open(['read'], 100), '050102fa08')).toBe('d80104');
  });

  test('a request in blocks, and every wrong number', () => {
    const server = open();
    // `01 02 FA00` cut in two
    expect(say(server, '05010600' + '0001' + '020102')).toBe('0c01030001');
    expect(say(server, '05010601' + '0002' + '02fa00')).toBe('0c010009060000280000ff');
    expect(say(server, '05010601' + '0002' + '02fa00')).toBe('0c010110');
    say(server, '05010600' + '0001' + '020102');
    expect(say(server, '05010601' + '0003' + '02fa00')).toBe('0c010113');
    expect(say(server, '05010601' + '0001' + '03010202')).toBe('0c010113');
  });
});

test('no octets make it throw, and it answers with what can be read', () => {
  const server = open();
  fc.assert(
    fc.property(fc.constantFrom(0x05, 0x06, 0x16), fc.uint8Array({ maxLength: 40 }), (tag, rest) => {
      const { apdu } = server.receive(Uint8Array.from([tag, ...rest]), NOW);
      expect(apdu === null ? 'silence' : apduIn(apdu).apdu).toMatch(/^(?:silence|.*-?[rR]esponse)$/);
    }),
  );
});

describe('Write', () => {
  const text: Data = { type: 'octet-string', value: fromHex('0102030405060708') };
  const body = (): string => {
    const writer = new ByteWriter();
    writeRequest.encode(writer, { variables: [{ 'variable-name': NOTES }], data: [text] });
    return toHex(writer.finish());
  };
  const block = (last: boolean, number: number, hex: string): Apdu => ({
    apdu: 'writeRequest',
    variables: [{ 'write-data-block-access': { lastBlock: last, blockNumber: number } }],
    data: [{ type: 'octet-string', value: fromHex(hex) }],
  });
  const notes = (server: CosemServer): string => say(server, `050102${hex4(NOTES)}`);

  test('one, refused ones, and without answer', () => {
    const server = open();
    expect(say(server, `060102${hex4(NOTES)}01${toHex(dataBytes(text))}`)).toBe('0d0100');
    expect(notes(server)).toBe(`0c0100${toHex(dataBytes(text))}`);
    expect(say(server, `060202${hex4(NOTES)}0200000211051105`)).toBe('0d02010c0104');
    expect(say(server, `160102${hex4(NOTES)}0109020a0b`)).toBe('silence');
    expect(notes(server)).toBe('0c0100' + '09020a0b');
  });

  test('in blocks; a block lost, repeated or unasked for ends the transfer and writes nothing', () => {
    const server = open();
    const whole = body();
    say(server, `160102${hex4(NOTES)}010900`);
    const [first, second] = [whole.slice(0, 10), whole.slice(10)];
    for (const [number, code] of [
      [3, '13'],
      [0, '13'],
    ] as const) {
      expect(say(server, block(false, 1, first))).toBe('0d01020001');
      expect(say(server, block(true, number, second))).toBe(`0d0101${code}`);
      expect(say(server, block(true, 2, second))).toBe('0d010112');
    }
    expect(notes(server)).toBe('0c0100' + '0900');
    say(server, block(false, 1, first));
    // block 1 again begins anew
    expect(say(server, block(false, 1, first))).toBe('0d01020001');
    expect(say(server, block(true, 2, second))).toBe('0d0100');
    expect(notes(server)).toBe(`0c0100${toHex(dataBytes(text))}`);
  });
});
