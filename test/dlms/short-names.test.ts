/** Short names: of attributes and methods, in lists, in associations and in reports of meters. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { encodeAccessRightsList, shortNameObjectList } from '../../src/dlms/cosem/short-name-rights.ts';
import {
  attributeShortName,
  decodeShortNameList,
  encodeShortNameList,
  methodShortName,
  type ShortNamedObject,
  ShortNames,
} from '../../src/dlms/cosem/short-names.ts';
import { presentPush } from '../../src/dlms/decode/push-content.ts';
import { ReadExchange } from '../../src/dlms/exchange/read-exchange.ts';
import { unconfirmedWrite } from '../../src/dlms/exchange/write-exchange.ts';
import { PushReceiver } from '../../src/dlms/push/receiver.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { codeOf } from '../support/error-code.ts';

describe('names', () => {
  test.each([
    [0xfa00, 1, 0xfa00],
    [0xfa00, 2, 0xfa08],
    [0xfff8, 2, 0x0000],
    [0x7ff8, 2, 0x8000],
  ])('base %i, attribute %i', (base, attribute, name) => {
    expect(attributeShortName(base, attribute)).toBe(name);
  });

  test.each([
    ['Register, reset', 3, 0, 1, 0x28, false],
    ['Extended register, reset', 4, 0, 1, 0x38, false],
    ['Demand register, next_period', 5, 0, 2, 0x50, false],
    ['Profile generic, reset', 7, 1, 1, 0x58, false],
    ['Profile generic, capture', 7, 1, 2, 0x60, false],
    ['Profile generic, get_buffer_by_index', 7, 1, 4, 0x70, true],
    ['Clock, adjust_to_quarter', 8, 0, 1, 0x60, false],
    ['Clock, shift_time', 8, 0, 6, 0x88, false],
    ['Script table, execute', 9, 0, 1, 0x20, false],
    ['Association SN, read_by_logicalname', 12, 2, 3, 0x30, true],
    ['Association SN, change_secret', 12, 2, 5, 0x40, false],
    ['Association SN, reply_to_HLS_authentication', 12, 2, 8, 0x58, true],
    ['Image transfer, image_activate', 18, 0, 4, 0x58, false],
    ['Disconnect control, remote_reconnect', 70, 0, 2, 0x28, false],
    ['M-Bus client, version 0', 72, 0, 1, 0x60, false],
    ['M-Bus client, version 1', 72, 1, 1, 0x70, false],
  ])('%s', (_, classId, version, method, offset, returns) => {
    expect(methodShortName({ classId, version, baseName: 0x1000 }, method)).toEqual({ name: 0x1000 + offset, returns });
    expect(methodShortName({ classId, version, baseName: 0xfff8 }, method)?.name).toBe((0xfff8 + offset) & 0xffff);
  });

  test('a class without methods, or of a version whose names are not known', () => {
    expect(methodShortName({ classId: 1, version: 0, baseName: 0 }, 1)).toBeNull();
    expect(methodShortName({ classId: 72, version: 9, baseName: 0 }, 1)).toBeNull();
    expect(methodShortName({ classId: 3, version: 0, baseName: 0 }, 0)).toBeNull();
  });
});

const object = (obis: string, baseName: number, classId = 3): ShortNamedObject => ({
  classId,
  version: 0,
  obis,
  baseName,
});
/** Association SN at FA00, energy at 1000. */
const LIST =
  '0102' + // array of 2
  '0204' +
  '10fa00' +
  '12000c' +
  '1101' +
  '09060000280000ff' + // long FA00, class 12, version 1, 0.0.40.0.0.255
  '0204' +
  '101000' +
  '120003' +
  '1100' +
  '09060100010800ff';
const OBJECTS = [{ ...object('0.0.40.0.0.255', 0xfa00, 12), version: 1 }, object('1.0.1.8.0.255', 0x1000)];

describe('object list', () => {
  test('as the octets go; base names have a sign', () => {
    expect(decodeShortNameList(parseData(fromHex(LIST)))).toEqual(OBJECTS);
    expect(toHex(dataBytes(encodeShortNameList(OBJECTS)))).toBe(LIST);
  });

  test('base names without sign; what is no object is left out', () => {
    const odd =
      '0104' +
      LIST.slice(4).replace('10fa00', '12fa00') +
      '00' +
      '0204' +
      '102000' +
      '120001' +
      '1100' +
      '090600007f000000';
    expect(decodeShortNameList(parseData(fromHex(odd)))).toEqual(OBJECTS);
    expect(codeOf(() => decodeShortNameList({ type: 'null-data' }))).toBe('MALFORMED');
  });

  test('any list comes back', () => {
    const u8 = fc.nat(255);
    const objects = fc.array(
      fc.record({
        classId: fc.nat(0xffff),
        version: u8,
        obis: fc.tuple(u8, u8, u8, u8, u8, fc.constant(255)).map((octets) => octets.join('.')),
        baseName: fc.nat(0xffff),
      }),
    );
    fc.assert(
      fc.property(objects, (list) => {
        expect(decodeShortNameList(parseData(dataBytes(encodeShortNameList(list))))).toEqual(list);
      }),
    );
  });

  test('found by logical name, the class asked for first', () => {
    const names = new ShortNames([object('1.0.1.8.0.255', 8, 3), object('1.0.1.8.0.255', 80, 4)]);
    expect(names.find(4, '1.0.1.8.0.255')?.baseName).toBe(80);
    expect(names.find(1, '1.0.1.8.0.255')?.baseName).toBe(8);
    expect(names.find(3, '9.9.9.9.9.9')).toBeNull();
  });

  test.each([1, 2, 4])('rights of version %i come back as those of logical names', (version) => {
    const rights = {
      attributes: [
        { id: 1, access: 'read-only' },
        { id: 2, access: 'read-and-write', selectors: [1, 2] },
      ],
      methods: [{ id: 1, access: 'access' }],
    };
    const [association, energy] = OBJECTS as [ShortNamedObject, ShortNamedObject];
    const told = encodeAccessRightsList([{ ...rights, baseName: energy.baseName }], version);
    const { objects, warnings } = shortNameObjectList([{ ...association, version }, energy], told);
    const { baseName: _, ...shown } = energy;
    expect(objects[1]).toEqual({ ...shown, ...rights });
    expect(objects[0]).toMatchObject({ attributes: [], methods: [] });
    expect(warnings).toEqual([]);
  });

  test('no rights told: the classes say what there is', () => {
    const { objects, warnings } = shortNameObjectList(OBJECTS, null);
    expect(objects[1]).toMatchObject({
      attributes: [1, 2, 3].map((id) => ({ id, access: 'unknown' })),
      methods: [{ id: 1, access: 'unknown' }],
    });
    expect(warnings.map(({ code }) => code)).toEqual(['access-rights']);
  });
});

/** Accepted; read, write, unconfirmed-write, blocks, multiple-references, parameterized-access; PDU 1224; VAA FA00. */
const AARE = '6129a109060760857405080102a203020100a305a103020100be10040e0800065f1f04001c1a2004c8fa00';
/** Refused: application-context-name-not-supported. */
const REFUSED = '6117a109060760857405080101a203020101a305a103020102';

function clientOf(settings: Partial<MeterSettings> = {}): AssociationClient {
  return new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, referencing: 'sn', ...settings },
    secrets: NO_SECRETS,
    random: (octets) => new Uint8Array(octets).fill(7),
    takeCounter: () => 1,
    systemTitle: fromHex('4d4d4d0000000001'),
  });
}

function associated(): AssociationClient {
  const client = clientOf();
  client.open();
  expect(client.receive(fromHex(AARE)).event?.kind).toBe('associated');
  return client;
}

describe('association', () => {
  test('the AARQ has the context of short names and proposes their services', () => {
    expect(toHex(clientOf().open())).toBe('601da109060760857405080102be10040e01000000065f1f04001c1b20ffff');
  });

  const refusal = (asked: 'ln' | 'sn', aare: string) => {
    const client = clientOf({ referencing: asked });
    client.open();
    const { event } = client.receive(fromHex(aare));
    return event !== null && 'error' in event ? `${event.error.code} ${event.error.hint}` : event?.kind;
  };
  const inLn = (aare: string) => aare.replace('080102', '080101');

  test.each([
    ['asked in logical names, agreed with VAA FA00', 'ln', inLn(AARE), /^CONTEXT_NOT_SUPPORTED .*--referencing sn/],
    [
      'asked in short names, agreed with VAA 0007 and GET',
      'sn',
      AARE.replace('1c1a2004c8fa00', '001e1d04c80007'),
      /^CONTEXT_NOT_SUPPORTED .*--referencing ln/,
    ],
    ['VAA FA00 by mistake: GET is granted', 'ln', inLn(AARE).replace('1c1a20', '001e1d'), /^associated$/],
    [
      'refused, in the context of short names',
      'ln',
      REFUSED.replace('080101', '080102'),
      /^CONTEXT_NOT_SUPPORTED .*--referencing sn/,
    ],
    ['refused, in the context of logical names', 'sn', REFUSED, /^CONTEXT_NOT_SUPPORTED .*--referencing ln/],
    ['refused without telling which', 'ln', REFUSED, /^CONTEXT_NOT_SUPPORTED .*--referencing sn \(or ln\)/],
  ] as const)('%s', (_, asked, aare, expected) => {
    expect(refusal(asked, aare)).toMatch(expected);
  });

  test('a Read; a report in between is handed out, and the Read goes on', () => {
    const client = associated();
    const read = new ReadExchange([{ variableName: 0x1008, accessSelection: null }]);
    expect(client.begin(read).map(toHex)).toEqual(['0501021008']);
    // informationReport without time: variable 1008 is 7
    expect(client.receive(fromHex('1800' + '01021008' + '011107')).event?.kind).toBe('unsolicited');
    expect(client.receive(fromHex('0c01001109')).event?.kind).toBe('answered');
    expect(read.result).toEqual([{ data: { type: 'unsigned', value: 9 } }]);
  });

  test.each([
    ['0e0504' + '01', 'failed SERVICE_ERROR read definition object-undefined'],
    ['0e0605' + '02', 'failed SERVICE_ERROR write access object-access-violated'],
    ['0d0100', 'lost UNEXPECTED_RESPONSE undefined undefined undefined'],
  ])('answered with %s', (answer, expected) => {
    const client = associated();
    client.begin(new ReadExchange([{ variableName: 8, accessSelection: null }]));
    const { event } = client.receive(fromHex(answer));
    if (event === null || !('error' in event)) throw new Error('an error was expected');
    const { service, errorClass, error } = event.error.facts;
    expect(`${event.kind} ${event.error.code} ${service} ${errorClass} ${error}`).toBe(expected);
  });

  test('an UnconfirmedWrite awaits nothing', () => {
    const client = associated();
    const value: Data = { type: 'unsigned', value: 5 };
    const write = (limits: Parameters<typeof unconfirmedWrite>[1]) =>
      unconfirmedWrite([{ variableName: 8, accessSelection: null, value }], limits);
    expect(client.unconfirmed(write).map(toHex)).toEqual(['16' + '01020008' + '011105']);
    expect(client.state).toBe('associated');
    client.lost();
    expect(codeOf(() => client.unconfirmed(write))).toBe('SERVICE_NOT_GRANTED');
  });
});

describe('informationReport as a push', () => {
  const heard = (hex: string) => new PushReceiver({ open: null }).take('a', fromHex(hex));

  test('each value with the short name that it is of', () => {
    const [event] = heard('1800' + '02' + '021008' + '022010' + '02' + '1107' + '120102');
    if (event?.kind !== 'push') throw new Error('a push was expected');
    expect(event.push.content.kind).toBe('information-report');
    expect(presentPush({ ...event.push, protection: [] })).toMatchObject({
      apdu: 'informationReportRequest',
      items: [
        { shortName: 0x1008, type: 'unsigned', value: 7 },
        { shortName: 0x2010, type: 'long-unsigned', value: 258 },
      ],
    });
  });

  test('values and variables must match: they would change places', () => {
    expect(heard('1800' + '01021008' + '02' + '1107' + '1108')).toMatchObject([
      { kind: 'failed', error: { code: 'MALFORMED' } },
    ]);
  });
});
