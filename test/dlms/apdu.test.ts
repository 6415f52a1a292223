/** xDLMS and ACSE APDUs: every form there and back, random octets, what meters do differently. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { aareOf, aarqOf, decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import { oidBytes, oidText } from '../../src/dlms/acse/names.ts';
import { dateTimeBytes } from '../../src/dlms/axdr/date-time.ts';
import { SERVICE_CIPHERED_TAGS, securityControlOf } from '../../src/dlms/security/ciphered.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { CONFORMANCE_BITS, commonConformance, conformance, hasConformance } from '../../src/dlms/xdlms/conformance.ts';
import {
  actionResult,
  dataAccessError,
  dataAccessErrorCode,
  dataAccessResult,
} from '../../src/dlms/xdlms/data-access-result.ts';
import { initiateRequestOf, initiateResponseOf } from '../../src/dlms/xdlms/initiate.ts';
import {
  invokeIdAndPriority,
  invokeIdAndPriorityOf,
  longInvokeIdAndPriority,
  longInvokeIdAndPriorityOf,
} from '../../src/dlms/xdlms/invoke-id.ts';
import { confirmedServiceErrorOf } from '../../src/dlms/xdlms/refusal.ts';
import { codeOf } from '../support/error-code.ts';
import { data, dateTime, obis, octets } from './arbitraries.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const i8 = fc.integer({ min: -128, max: 127 });
const list = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 4 });
const orNull = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null });

const invoke = u8.map(invokeIdAndPriorityOf);
const longInvoke = u32.map(longInvokeIdAndPriorityOf);
const attribute = fc.record({ classId: u16, instanceId: obis, attributeId: i8 });
const method = fc.record({ classId: u16, instanceId: obis, methodId: i8 });
const accessSelection = fc.record({ selector: u8, parameters: data });
const selections = list(
  fc.record({ classId: u16, instanceId: obis, attributeId: i8, accessSelection: orNull(accessSelection) }),
);
const block = { lastBlock: fc.boolean(), blockNumber: u32, rawData: octets };
const accessResult = u8.map(dataAccessResult);
const result = fc.oneof(fc.record({ data }), fc.record({ dataAccessResult: accessResult }));
const outcome = { result: u8.map(actionResult), returnParameters: orNull(result) };
const stamp = orNull(dateTime.map((value) => ({ hex: dateTimeBytes(value), ...value })));

type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>;
const forms = (apdu: string, fields: Readonly<Record<string, Fields>>): fc.Arbitrary<unknown>[] =>
  Object.entries(fields).map(([type, members]) =>
    fc.record({ apdu: fc.constant(apdu), type: fc.constant(type), invokeIdAndPriority: invoke, ...members }),
  );
const plain = (apdu: string, members: Fields): fc.Arbitrary<unknown> =>
  fc.record({ apdu: fc.constant(apdu), ...members });

const specification = fc.oneof(
  fc.record({ access: fc.constantFrom('get', 'set'), classId: u16, instanceId: obis, attributeId: i8 }),
  fc.record({ access: fc.constant('action'), classId: u16, instanceId: obis, methodId: i8 }),
  fc.record({
    access: fc.constantFrom('get-with-selection', 'set-with-selection'),
    classId: u16,
    instanceId: obis,
    attributeId: i8,
    accessSelection,
  }),
);
const shortBlock = { lastBlock: fc.boolean(), blockNumber: u16, rawData: octets };
const variables = list(
  fc.oneof(
    fc.record({ 'variable-name': u16 }),
    fc.record({ 'parameterized-access': fc.record({ variableName: u16, selector: u8, parameter: data }) }),
    fc.record({ 'block-number-access': fc.record({ blockNumber: u16 }) }),
    fc.record({ 'read-data-block-access': fc.record(shortBlock) }),
    fc.record({ 'write-data-block-access': fc.record({ lastBlock: fc.boolean(), blockNumber: u16 }) }),
  ),
);
const bits = fc.subarray([...CONFORMANCE_BITS]).map(conformance);
const protectedFields = fc
  .tuple(u8, u32, octets, fc.uint8Array({ minLength: 12, maxLength: 12 }))
  .map(([control, invocationCounter, ciphertextOrPlain, tag]) => {
    const securityControl = securityControlOf(control);
    return {
      securityControl,
      invocationCounter,
      ciphertextOrPlain,
      authenticationTag: securityControl.authenticated ? tag : null,
    };
  });
const generalHeader = {
  transactionId: octets,
  originatorSystemTitle: octets,
  recipientSystemTitle: octets,
  dateTime: octets,
  otherInformation: octets,
};
const keyInfo = fc.oneof(
  fc.record({ identifiedKey: fc.record({ keyId: u8 }) }),
  fc.record({ wrappedKey: fc.record({ kekId: u8, keyCipheredData: octets }) }),
  fc.record({ agreedKey: fc.record({ keyParameters: octets, keyCipheredData: octets }) }),
);

const APDUS: readonly fc.Arbitrary<unknown>[] = [
  ...forms('get-request', {
    normal: { attribute, accessSelection: orNull(accessSelection) },
    next: { blockNumber: u32 },
    'with-list': { attributes: selections },
  }),
  ...forms('get-response', {
    normal: { result },
    'with-datablock': block,
    'with-list': { results: list(result) },
  }),
  ...forms('get-response', {
    'with-datablock': { lastBlock: fc.boolean(), blockNumber: u32, dataAccessResult: accessResult },
  }),
  ...forms('set-request', {
    normal: { attribute, accessSelection: orNull(accessSelection), value: data },
    'with-first-datablock': { attribute, accessSelection: orNull(accessSelection), ...block },
    'with-datablock': block,
    'with-list': { attributes: selections, values: list(data) },
    'with-list-and-first-datablock': { attributes: selections, ...block },
  }),
  ...forms('set-response', {
    normal: { result: accessResult },
    datablock: { blockNumber: u32 },
    'last-datablock': { result: accessResult, blockNumber: u32 },
    'last-datablock-with-list': { results: list(accessResult), blockNumber: u32 },
    'with-list': { results: list(accessResult) },
  }),
  ...forms('action-request', {
    normal: { method, parameters: orNull(data) },
    'next-pblock': { blockNumber: u32 },
    'with-list': { methods: list(method), parameters: list(data) },
    'with-first-pblock': { method, ...block },
    'with-list-and-first-pblock': { methods: list(method), ...block },
    'with-pblock': block,
  }),
  ...forms('action-response', {
    normal: outcome,
    'with-pblock': block,
    'with-list': { results: list(fc.record(outcome)) },
    'next-pblock': { blockNumber: u32 },
  }),
  plain('access-request', {
    longInvokeIdAndPriority: longInvoke,
    dateTime: stamp,
    specifications: list(specification),
    data: list(data),
  }),
  plain('access-response', {
    longInvokeIdAndPriority: longInvoke,
    dateTime: stamp,
    specifications: orNull(list(specification)),
    data: list(data),
    results: list(fc.record({ access: fc.constantFrom('get', 'set', 'action'), result: accessResult })),
  }),
  plain('data-notification', { longInvokeIdAndPriority: longInvoke, dateTime: stamp, body: data }),
  plain('data-notification-confirm', { longInvokeIdAndPriority: longInvoke, dateTime: stamp }),
  plain('event-notification-request', { time: stamp, attribute, value: data }),
  plain('readRequest', { variables }),
  plain('readResponse', {
    results: list(
      fc.oneof(
        fc.record({ data }),
        fc.record({ dataAccessError: accessResult }),
        fc.record({ dataBlockResult: fc.record(shortBlock) }),
        fc.record({ blockNumber: u16 }),
      ),
    ),
  }),
  plain('writeRequest', { variables, data: list(data) }),
  plain('unconfirmedWriteRequest', { variables, data: list(data) }),
  plain('writeResponse', {
    results: list(
      fc.oneof(fc.constant('success'), fc.record({ dataAccessError: accessResult }), fc.record({ blockNumber: u16 })),
    ),
  }),
  plain('informationReportRequest', { currentTime: orNull(octets), variables, data: list(data) }),
  plain('general-block-transfer', {
    lastBlock: fc.boolean(),
    streaming: fc.boolean(),
    window: fc.nat(63),
    blockNumber: u16,
    blockNumberAck: u16,
    blockData: octets,
  }),
  plain('initiateRequest', {
    dedicatedKey: orNull(octets),
    responseAllowed: fc.boolean(),
    proposedQualityOfService: orNull(i8),
    proposedDlmsVersion: u8,
    proposedConformance: bits,
    clientMaxReceivePduSize: u16,
  }),
  plain('initiateResponse', {
    negotiatedQualityOfService: orNull(i8),
    negotiatedDlmsVersion: u8,
    negotiatedConformance: bits,
    serverMaxReceivePduSize: u16,
    vaaName: fc.constantFrom('0007', 'fa00'),
  }),
  plain('exception-response', {
    stateError: fc.constantFrom('service-not-allowed', 'service-unknown', 'unassigned-9'),
    serviceError: fc.constantFrom('operation-not-possible', 'pdu-too-long', 'unassigned-0'),
    invocationCounter: fc.constant(null),
  }),
  plain('exception-response', {
    stateError: fc.constant('service-not-allowed'),
    serviceError: fc.constant('invocation-counter-error'),
    invocationCounter: orNull(u32),
  }),
  fc.tuple(u8, u8, u8).map((codes) => confirmedServiceErrorOf(...codes)),
  fc
    .tuple(fc.constantFrom(...Object.keys(SERVICE_CIPHERED_TAGS)), protectedFields)
    .map(([apdu, fields]) => ({ apdu, ...fields })),
  fc
    .tuple(fc.constantFrom('general-glo-ciphering', 'general-ded-ciphering'), octets, protectedFields)
    .map(([apdu, systemTitle, fields]) => ({
      apdu,
      systemTitle,
      ...fields,
      ...(fields.securityControl.encrypted && { ciphertext: fields.ciphertextOrPlain }),
    })),
  fc
    .tuple(fc.record({ ...generalHeader, keyInfo: orNull(keyInfo) }), protectedFields)
    .map(([header, fields]) => ({ apdu: 'general-ciphering', ...header, ...fields })),
  plain('general-signing', { ...generalHeader, content: octets, signature: octets }),
];

const apdu = fc.oneof(...APDUS) as fc.Arbitrary<Apdu>;

describe('xDLMS', () => {
  test('every form, encoded and decoded, is the same', () => {
    for (const one of APDUS as readonly fc.Arbitrary<Apdu>[]) {
      fc.assert(
        fc.property(one, (value) => {
          const bytes = encodeApdu(value);
          const decoded = decodeApdu(bytes);
          expect(decoded).toEqual(value);
          expect(toHex(encodeApdu(decoded))).toBe(toHex(bytes));
        }),
        { numRuns: 40 },
      );
    }
  });

  test('cut anywhere it is refused', () => {
    fc.assert(
      fc.property(apdu, fc.nat(), (value, at) => {
        const bytes = encodeApdu(value);
        // An invocation-counter-error may lack its counter.
        fc.pre(!(value.apdu === 'exception-response' && bytes.length === 7));
        expect(codeOf(() => decodeApdu(bytes.subarray(0, at % bytes.length)))).not.toBe('none');
      }),
      { numRuns: 500 },
    );
  });

  test('an octet too many is refused', () => {
    fc.assert(
      fc.property(apdu, (value) => {
        fc.pre(value.apdu !== 'exception-response');
        expect(codeOf(() => decodeApdu(fromHex(`${toHex(encodeApdu(value))}00`)))).toBe('TRAILING_BYTES');
      }),
      { numRuns: 300 },
    );
  });

  test('random octets end in an APDU or a BridgeError', () => {
    const tags = Array.from({ length: 256 }, (_, tag) => tag).filter(
      (tag) => codeOf(() => decodeApdu(Uint8Array.of(tag))) !== 'MALFORMED',
    );
    expect(tags.length).toBe(26 + Object.keys(SERVICE_CIPHERED_TAGS).length);
    const codes = ['none', 'TRUNCATED', 'MALFORMED', 'TRAILING_BYTES', 'LIMIT_EXCEEDED', 'UNSUPPORTED'];
    fc.assert(
      fc.property(fc.constantFrom(...tags), fc.nat(6), fc.uint8Array({ maxLength: 60 }), (tag, form, rest) => {
        expect(codes).toContain(codeOf(() => decodeApdu(Uint8Array.of(tag, form, ...rest))));
        expect(codes).toContain(codeOf(() => decodeApdu(rest)));
      }),
      { numRuns: 5000 },
    );
  });

  test('an invocation-counter-error with and without its counter', () => {
    expect(decodeApdu(fromHex('d8010600000100'))).toMatchObject({ invocationCounter: 256 });
    expect(decodeApdu(fromHex('d80106'))).toMatchObject({
      serviceError: 'invocation-counter-error',
      invocationCounter: null,
    });
    expect(codeOf(() => decodeApdu(fromHex('d801060000')))).toBe('TRUNCATED');
  });

  test('Kaifa puts a data tag before the date-time of a notification', () => {
    const value = decodeApdu(fromHex('0f40000000090c07e3020401173416ff800000020106000016dc'));
    expect(value).toMatchObject({ dateTime: { year: 2019, month: 2, dayOfMonth: 4 }, body: { type: 'structure' } });
  });

  test('OSGP puts a data tag for the flag of the time of an event', () => {
    const event = 'c2090c07e70706040a362600ff888000018080808080000209104b413650303035303339303231313130';
    expect(decodeApdu(fromHex(event))).toMatchObject({
      time: { year: 2023, deviation: -120 },
      attribute: { classId: 1, instanceId: '128.128.128.128.128.0', attributeId: 2 },
    });
  });

  test('a code that the standard has not is told, not refused', () => {
    expect(decodeApdu(fromHex('c401c10105'))).toMatchObject({
      result: { dataAccessResult: { code: 5, name: 'unassigned-5' } },
    });
    expect(decodeApdu(fromHex('0e011709'))).toMatchObject({ errorClass: 'unassigned-23', error: 'unassigned-9' });
  });
});

test('invoke ids', () => {
  expect(invokeIdAndPriority(1).raw).toBe('c1');
  expect(invokeIdAndPriority(17, 'unconfirmed', 'normal').raw).toBe('01');
  expect(longInvokeIdAndPriority(1, { serviceClass: 'confirmed', priority: 'high' }).raw).toBe('c0000001');
});

test('results as errors', () => {
  expect(dataAccessErrorCode(3)).toBe('DATA_ACCESS_READ_WRITE_DENIED');
  expect(dataAccessErrorCode(250)).toBe('DATA_ACCESS_OTHER_REASON');
  expect(dataAccessErrorCode(77)).toBe('DATA_ACCESS_OTHER_REASON');
  expect(dataAccessError(2, '3:1.0.1.8.0.255:2').message).toBe('3:1.0.1.8.0.255:2: temporary-failure (2)');
});

test('conformance', () => {
  const wide = conformance(['get', 'set', 'action', 'multiple-references']);
  const common = commonConformance(wide, conformance(['get', 'read', 'multiple-references']));
  expect(common.bits).toEqual(['multiple-references', 'get']);
  expect(hasConformance(common, 'get')).toBe(true);
  expect(hasConformance(common, 'set')).toBe(false);
  expect(toHex(conformance(CONFORMANCE_BITS).hex)).toBe('ffffff');
});

describe('ACSE', () => {
  const initiate = initiateRequestOf(['get', 'multiple-references'], 0xffff);

  test.each(['none', 'low', 'gmac'] as const)('the AARQ of level %s', (authentication) => {
    const aarq = aarqOf({
      referencing: 'ln',
      authentication,
      authenticationValue: fromHex('3132'),
      userInformation: initiate,
    });
    const { fieldOrder, ...decoded } = decodeAcse(encodeAcse(aarq));
    expect(decoded).toEqual(aarq);
    expect(fieldOrder).toEqual(authentication === 'none' ? ['a1', 'be'] : ['a1', '8a', '8b', 'ac', 'be']);
  });

  test('an accepting AARE and a refusing one', () => {
    const accepted = aareOf({
      context: 'LN',
      result: 0,
      diagnostic: 0,
      userInformation: initiateResponseOf(['get'], 500),
    });
    const refused = aareOf({ context: 'LN', result: 1, diagnostic: 13 });
    for (const aare of [accepted, refused]) {
      const { fieldOrder, ...decoded } = decodeAcse(encodeAcse(aare));
      expect(decoded).toEqual(aare);
    }
    expect(toHex(encodeAcse(refused))).toBe('6117a109060760857405080101a203020101a305a10302010d');
  });

  test('user-information that cannot be read does not hide a refusal', () => {
    const refused = '6123a109060760857405080101a203020101a305a10302010dbe0a0408ffffffffffffffff';
    expect(decodeAcse(fromHex(refused))).toMatchObject({
      resultSourceDiagnostic: { name: 'authentication-failure' },
      userInformation: { decoded: null },
    });
    expect(codeOf(() => decodeAcse(fromHex(refused.replace('a203020101', 'a203020100'))))).toBe('MALFORMED');
  });

  test.each([
    ['a field twice', '6212800100800100', 'TRUNCATED'],
    ['a field twice', '6206800100800100', 'MALFORMED'],
    ['a field of another APDU', '6203a10100', 'MALFORMED'],
    ['no context name', '6000', 'MALFORMED'],
    ['an indefinite length', '62808001000000', 'MALFORMED'],
    ['another tag', '6400', 'MALFORMED'],
  ])('%s', (_, hex, code) => {
    expect(codeOf(() => decodeAcse(fromHex(hex)))).toBe(code);
  });

  test('random octets end in an APDU or a BridgeError', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x60, 0x61, 0x62, 0x63), fc.uint8Array({ maxLength: 60 }), (tag, rest) => {
        expect(() => codeOf(() => decodeAcse(Uint8Array.of(tag, rest.length, ...rest)))).not.toThrow();
        expect(() => codeOf(() => decodeAcse(rest))).not.toThrow();
      }),
      { numRuns: 5000 },
    );
  });

  test('one octet changed ends in an APDU or a BridgeError', () => {
    const bytes = encodeAcse(
      aarqOf({
        referencing: 'ln',
        authentication: 'low',
        authenticationValue: fromHex('31'),
        userInformation: initiate,
      }),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), u8, (at, octet) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = octet;
        expect(() => codeOf(() => decodeAcse(changed))).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  test('object identifiers', () => {
    expect(oidText(fromHex('60857405080101'))).toBe('2.16.756.5.8.1.1');
    for (const oid of ['2.16.756.5.8.2.7', '1.2.840.113549', '0.9.2342', '2.999.3']) {
      expect(oidText(oidBytes(oid))).toBe(oid);
    }
    expect(codeOf(() => oidText(fromHex('6085')))).toBe('MALFORMED');
  });
});
