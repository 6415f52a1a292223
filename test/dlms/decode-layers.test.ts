/** `dlms decode`: the layers between octets and APDUs, whichever they are and however they are nested. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { encodeAcse } from '../../src/dlms/acse/acse.ts';
import { DECODE_INPUTS, type Decoded, type DecodeInput, decodeBytes } from '../../src/dlms/decode/bytes.ts';
import type { DecodeKeys } from '../../src/dlms/decode/security.ts';
import { encodeMbus } from '../../src/dlms/mbus.ts';
import { addEvenParity } from '../../src/dlms/mode-e/parity.ts';
import { protectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { securityControlOf } from '../../src/dlms/security/ciphered.ts';
import { encodeWrapper } from '../../src/dlms/wrapper.ts';
import { encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { splitIntoBlocks, unconfirmedBlocks } from '../../src/dlms/xdlms/block-sender.ts';
import { frame } from '../support/links.ts';
import { bytesOf, differences, isNegative, loadVectors, type Vector } from '../support/vectors.ts';

const GET = 'c001c1000100002b0100ff0200';
const ANSWER = 'c401c1000600000100';
const PUSH = '0f00000001000600000007';

const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const octetsOf = (parts: readonly (string | Uint8Array)[]): Uint8Array =>
  concat(parts.map((part) => (typeof part === 'string' ? fromHex(part) : part)));
const auto = (...parts: (string | Uint8Array)[]): Decoded => decodeBytes(octetsOf(parts), { input: 'auto' });
const namesOf = (objects: readonly object[], name: string): unknown[] =>
  objects.map((object) => (object as Record<string, unknown>)[name]);
const hexIn = (value: unknown): Uint8Array | null => (typeof value === 'string' ? fromHex(value) : null);
const keysOf = ({ context }: Vector): DecodeKeys => ({
  encryptionKey: hexIn(context.encryptionKey),
  authenticationKey: hexIn(context.authenticationKey),
  systemTitle: hexIn(context.systemTitle),
});

describe('captured pushes', () => {
  const vectors = loadVectors('push');
  const framed = vectors.filter(({ context }) => ['hdlc', 'wrapper', 'mbus'].includes(String(context.transport)));
  const named = (list: readonly Vector[]) => list.map((vector) => [vector.id, vector] as const);
  /** What an APDU cannot show: its layers. */
  const contentOf = ({ expect: wanted }: Vector) => {
    const { hdlc, wrapper, mbus, generalBlockTransfer, security, plaintext, ...content } = wanted;
    return { content, hdlc, wrapper, mbus, generalBlockTransfer, security, plaintext };
  };

  test.each(named(framed.filter((vector) => !isNegative(vector))))('%s', (_, vector) => {
    for (const input of ['auto', vector.context.transport as DecodeInput] as const) {
      const { layers, apdus, error } = decodeBytes(bytesOf(vector), { input, keys: keysOf(vector) });
      const { content, wrapper, mbus, generalBlockTransfer, security } = contentOf(vector);
      const layersOf = (name: string) => layers.filter(({ layer }) => layer === name);
      expect(error).toBeNull();
      expect(differences(content, apdus[0])).toEqual([]);
      if (security !== undefined) expect(differences(security, layersOf('security')[0])).toEqual([]);
      if (wrapper !== undefined) expect(differences(wrapper, layersOf('wrapper')[0])).toEqual([]);
      if (mbus !== undefined) expect(differences(mbus, { frames: layersOf('mbus') })).toEqual([]);
      if (generalBlockTransfer !== undefined) {
        const blocks = layersOf('gbt');
        const reassembledLength = blocks.at(-1)?.reassembledLength;
        expect(differences(generalBlockTransfer, { blocks, reassembledLength })).toEqual([]);
      }
    }
  });

  test.each(named(vectors.filter(isNegative)))('%s says what is wrong', (_, vector) => {
    expect(decodeBytes(bytesOf(vector), { input: 'auto', keys: keysOf(vector) }).error).not.toBeNull();
  });

  test('without a transport: APDUs, with or without LLC header', () => {
    for (const vector of vectors.filter(
      ({ context, ...rest }) => context.transport === 'raw' && !isNegative({ context, ...rest }),
    )) {
      const { layers, apdus, error } = decodeBytes(bytesOf(vector), { input: 'auto', keys: keysOf(vector) });
      const { llc = null, ...content } = contentOf(vector).content;
      expect(layers[0]?.layer === 'llc' ? layers[0].hex : null, vector.id).toBe(llc);
      expect(error, vector.id).toBeNull();
      expect(differences(content, apdus[0]), vector.id).toEqual([]);
    }
  });

  test('all of them one after the other', () => {
    const hdlc = framed.filter((vector) => vector.context.transport === 'hdlc' && !isNegative(vector));
    const { apdus, discarded } = auto(...hdlc.map(bytesOf));
    expect(apdus).toHaveLength(hdlc.length);
    expect(discarded).toEqual([]);
  });
});

describe('HDLC', () => {
  test('segments that all have the number 0 are no repetitions; equal ones are', () => {
    const whole = fromHex(`e6e700${ANSWER}`);
    const first = frame.i(0, 1, whole.subarray(0, 6), '+');
    const { layers, apdus, error } = auto(first, first, frame.i(0, 1, whole.subarray(6)));
    expect(apdus).toMatchObject([{ apdu: 'get-response' }]);
    expect(namesOf(layers, 'repeated')).toEqual([undefined, undefined, true, undefined]);
    expect(error).toBeNull();
  });
  test('three APDUs in one frame, each with its LLC header', () => {
    const message = `e6e700${PUSH}`;
    const { layers, apdus } = auto(frame.ui(message.repeat(3)));
    expect(namesOf(layers, 'layer')).toEqual(['hdlc', 'llc', 'llc', 'llc']);
    expect(namesOf(apdus, 'apdu')).toEqual(['data-notification', 'data-notification', 'data-notification']);
  });
  test('a new connection gives up what was under way', () => {
    const { apdus, error } = auto(frame.i(0, 1, 'e6e700c401c1', '+'), frame.ua(), frame.i(0, 1, `e6e700${ANSWER}`));
    expect(apdus).toMatchObject([{ valid: false, hex: 'c401c1' }, { apdu: 'get-response' }]);
    expect(error).toMatchObject({ code: 'TRUNCATED' });
  });
});

describe('mode E', () => {
  const SIGN_ON = ['/?!\r\n', '/LGZ5\\2ZMG410000b.P07\r\n', '\x06252\r\n'].map(ascii);
  const KINDS = ['request', 'identification', 'acknowledgement'];

  test.each([
    ['as it is', (octets: Uint8Array) => octets],
    ['with parity bits', addEvenParity],
  ])('a sign-on %s, then HDLC', (_, made) => {
    const { layers, apdus, discarded, error } = auto(
      ...SIGN_ON.map(made),
      frame.ua(),
      frame.i(0, 1, `e6e700${ANSWER}`),
    );
    expect(namesOf(layers, 'layer')).toEqual(['mode-e', 'mode-e', 'mode-e', 'hdlc', 'hdlc', 'llc']);
    expect(namesOf(layers, 'kind').slice(0, 3)).toEqual(KINDS);
    expect(namesOf(layers, 'offset').slice(0, 4)).toEqual([0, 5, 28, 34]);
    expect(apdus).toMatchObject([{ apdu: 'get-response' }]);
    expect(discarded).toEqual([]);
    expect(error).toBeNull();
  });
  test('characters that wake a device are told', () => {
    const { layers, discarded } = auto('0000000000', ...SIGN_ON);
    expect(namesOf(layers, 'offset')).toEqual([5, 10, 33]);
    expect(discarded).toMatchObject([{ offset: 0, length: 5 }]);
  });
  test('telegrams one after the other; one with a wrong check sequence hides no other', () => {
    const telegram = bytesOf(loadVectors('mode-e').find(({ id }) => id === 'modee-p1-iskra-am550') as Vector);
    const broken = telegram.slice();
    broken[30]! ^= 1;
    const { layers, error } = auto(telegram, broken, telegram);
    expect(namesOf(layers, 'kind')).toEqual(['p1-telegram', undefined, 'p1-telegram']);
    expect(namesOf(layers, 'valid')).toEqual([undefined, false, undefined]);
    expect(error).toMatchObject({ code: 'CHECKSUM_WRONG' });
  });
  test('every vector, told and found', () => {
    for (const vector of loadVectors('mode-e')) {
      const inputs = bytesOf(vector).length === 1 || isNegative(vector) ? ['mode-e'] : ['mode-e', 'auto'];
      for (const input of inputs as DecodeInput[]) {
        const { layers, error } = decodeBytes(bytesOf(vector), { input });
        expect(error === null, vector.id).toBe(!isNegative(vector));
        if (!isNegative(vector)) expect(differences(vector.expect, layers[0]), vector.id).toEqual([]);
      }
    }
  });
  test('an identification line before a ciphered APDU', () => {
    const { layers, apdus } = auto(
      ascii('/KFM5KAIFA-METER\r\n\r\n'),
      'db0841475905e6a3138109',
      '20',
      '00000001',
      '11223344',
    );
    expect(namesOf(layers, 'layer')).toEqual(['mode-e', 'security']);
    expect(apdus).toMatchObject([{ apdu: 'general-glo-ciphering', ciphertextLength: 4 }]);
  });
  test('Data that begins like a data message is Data', () => {
    expect(auto('020209014109024142').apdus).toMatchObject([{ data: { type: 'structure' } }]);
  });
});

describe('wrapper', () => {
  test('junk before the first message', () => {
    const { layers, apdus, discarded } = auto('aabbcc', encodeWrapper(1, 16, fromHex(ANSWER)));
    expect(layers).toMatchObject([{ layer: 'wrapper', offset: 3 }]);
    expect(apdus).toMatchObject([{ apdu: 'get-response' }]);
    expect(discarded).toMatchObject([{ offset: 0, length: 3 }]);
  });
});

describe('M-Bus', () => {
  const segment = (number: number, fin: boolean, data: string) =>
    encodeMbus({ c: 0x53, a: 0xff, fin, segment: number, stsap: 1, dtsap: 103, data: fromHex(data) });

  test('segments of two telegrams, junk between', () => {
    const [head, tail] = [PUSH.slice(0, 8), PUSH.slice(8)];
    const telegram = [segment(0, false, head), segment(1, true, tail)];
    const { layers, apdus, discarded, error } = auto(...telegram, '1234', ...telegram);
    expect(namesOf(layers, 'layer')).toEqual(['mbus', 'mbus', 'mbus', 'mbus']);
    expect(apdus).toMatchObject([{ apdu: 'data-notification' }, { apdu: 'data-notification' }]);
    expect(discarded).toMatchObject([{ offset: 33, length: 2 }]);
    expect(error).toBeNull();
  });
  test('a segment that is missing, at the end and before another', () => {
    expect(auto(segment(0, false, '0f00')).error).toMatchObject({ code: 'TRUNCATED', layer: 'mbus' });
    expect(auto(segment(1, true, '0f00')).error).toMatchObject({ code: 'TRUNCATED', layer: 'mbus' });
  });
  test('a check sum that is wrong', () => {
    const broken = segment(0, true, PUSH);
    broken[9]! ^= 1;
    expect(auto(broken)).toMatchObject({ layers: [], error: { code: 'MALFORMED', layer: 'mbus' } });
  });
});

describe('LLC', () => {
  test.each([
    ['auto', 'auto'],
    ['apdu', 'apdu'],
  ] as const)('a bare header before an APDU, %s', (_, input) => {
    const { layers, apdus, error } = decodeBytes(fromHex(`e6e700${PUSH}`), { input });
    expect(layers).toEqual([{ layer: 'llc', hex: 'e6e700', direction: 'response' }]);
    expect(apdus).toMatchObject([{ apdu: 'data-notification' }]);
    expect(error).toBeNull();
  });
  test('nothing behind it', () => expect(auto('e6e700').error).toMatchObject({ code: 'TRUNCATED' }));
});

describe('general block transfer', () => {
  const blocks = unconfirmedBlocks(splitIntoBlocks(fromHex(PUSH), 12)).map(encodeApdu);

  test('blocks in any order, one of them twice', () => {
    expect(blocks.length).toBeGreaterThan(2);
    const [first = '', second = '', ...others] = blocks;
    const { layers, apdus, error } = auto(
      ...[second, first, first, ...others].map((one) => encodeWrapper(1, 16, octetsOf([one]))),
    );
    const gbt = layers.filter(({ layer }) => layer === 'gbt');
    expect(namesOf(gbt, 'blockNumber')).toEqual([2, 1, 1, ...others.map((_, index) => index + 3)]);
    expect(gbt[2]).toMatchObject({ repeated: true });
    expect(gbt.at(-1)).toMatchObject({ reassembledLength: PUSH.length / 2 });
    expect(apdus).toMatchObject([{ apdu: 'data-notification' }]);
    expect(error).toBeNull();
  });
  test('a block that is missing: those that are there are shown', () => {
    const { apdus, error } = auto(...blocks.slice(1).map((one) => encodeWrapper(1, 16, one)));
    expect(apdus).toHaveLength(blocks.length - 1);
    expect(apdus[0]).toMatchObject({ apdu: 'general-block-transfer', blockNumber: 2 });
    expect(error).toMatchObject({ code: 'TRUNCATED' });
  });
  test('another transfer begins before the last block', () => {
    const other = unconfirmedBlocks([fromHex('0f000000'), fromHex('02000600000007')]).map(encodeApdu);
    const { apdus, error } = auto(...[blocks[0] as Uint8Array, ...other].map((one) => encodeWrapper(1, 16, one)));
    expect(namesOf(apdus, 'apdu')).toEqual(['general-block-transfer', 'data-notification']);
    expect(error).toMatchObject({ code: 'TRUNCATED' });
  });
  test('an acknowledgement is a layer, and no APDU', () => {
    expect(auto('e08100010003' + '00')).toMatchObject({
      layers: [{ layer: 'gbt', length: 0 }],
      apdus: [],
      error: null,
    });
  });
});

describe('security', () => {
  const encryptionKey = fromHex('000102030405060708090a0b0c0d0e0f');
  const authenticationKey = fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf');
  const client = fromHex('4d4d4d0000000001');
  const server = fromHex('4d4d4d0000bc614e');
  const keys = { encryptionKey, authenticationKey, systemTitle: null };
  const outgoing = (systemTitle: Uint8Array, key = encryptionKey, control = 0x30) => ({
    encryptionKey: key,
    authenticationKey,
    systemTitle,
    securityControl: securityControlOf(control),
    invocationCounter: 7,
  });
  const general = protectApdu(fromHex(PUSH), 'general-glo', outgoing(server));

  test('with keys the inner APDU, without them the header, and that is no error', () => {
    const opened = decodeBytes(general, { input: 'auto', keys });
    expect(opened.layers).toMatchObject([
      { layer: 'security', apdu: 'general-glo-ciphering', invocationCounter: 7, tagVerified: true, plaintext: PUSH },
    ]);
    expect(opened.apdus).toMatchObject([{ apdu: 'data-notification' }]);
    const closed = decodeBytes(general, { input: 'auto' });
    expect(closed.layers).toMatchObject([{ systemTitle: toHex(server), tagVerified: null, plaintext: null }]);
    expect(closed.apdus).toMatchObject([{ apdu: 'general-glo-ciphering' }]);
    expect(closed.error).toBeNull();
  });
  test('without the authentication key it is opened and not verified', () => {
    const { layers, apdus } = decodeBytes(general, { input: 'auto', keys: { ...keys, authenticationKey: null } });
    expect(layers).toMatchObject([{ tagVerified: null }]);
    expect(apdus).toMatchObject([{ apdu: 'data-notification' }]);
  });
  test('what is only authenticated is read without any key', () => {
    const signed = protectApdu(fromHex(PUSH), 'general-glo', outgoing(server, encryptionKey, 0x10));
    expect(auto(signed)).toMatchObject({ apdus: [{ apdu: 'data-notification' }], error: null });
  });
  test.each([
    ['a wrong key', { ...keys, encryptionKey: fromHex('ff'.repeat(16)) }],
    [
      'a wrong key, and nothing to verify with',
      { ...keys, encryptionKey: fromHex('ff'.repeat(16)), authenticationKey: null },
    ],
    ['a key of another length', { ...keys, encryptionKey: fromHex('ff'.repeat(32)) }],
  ])('%s', (_, wrong) => {
    const { layers, apdus, error } = decodeBytes(general, { input: 'auto', keys: wrong });
    expect(layers).toMatchObject([{ layer: 'security', systemTitle: toHex(server) }]);
    expect(apdus).toMatchObject([{ valid: false, error: { code: 'DECRYPT_FAILED' } }]);
    expect(error).toMatchObject({ code: 'DECRYPT_FAILED' });
  });
  test('an unknown sender', () => {
    const get = protectApdu(fromHex(GET), 'glo', outgoing(client));
    expect(decodeBytes(get, { input: 'auto', keys }).error).toMatchObject({ code: 'KEY_MISSING' });
    const { apdus } = decodeBytes(get, { input: 'auto', keys: { ...keys, systemTitle: client } });
    expect(apdus).toMatchObject([{ apdu: 'get-request' }]);
  });
  test('a whole session: titles and the dedicated key are learned from it', () => {
    const dedicated = fromHex('0f0e0d0c0b0a09080706050403020100');
    const context = { oid: '2.16.756.5.8.1.3', context: 'LN_WITH_CIPHERING' } as const;
    const initiate = fromHex(`0110${toHex(dedicated)}0000065f1f0400007e1f04b0`.replace(/^0110/, '010110'));
    const answered = fromHex('0800065f1f040000501f01f40007');
    const inside = (hex: Uint8Array) => ({ hex, decoded: null });
    const session = [
      encodeWrapper(
        16,
        1,
        encodeAcse({
          apdu: 'aarq',
          applicationContextName: context,
          callingAPTitle: client,
          userInformation: inside(protectApdu(initiate, 'glo', outgoing(client))),
        }),
      ),
      encodeWrapper(
        1,
        16,
        encodeAcse({
          apdu: 'aare',
          applicationContextName: context,
          result: { code: 0, name: 'accepted' },
          resultSourceDiagnostic: { source: 'acse-service-user', code: 0, name: 'null' },
          respondingAPTitle: server,
          userInformation: inside(protectApdu(answered, 'glo', outgoing(server))),
        }),
      ),
      encodeWrapper(16, 1, protectApdu(fromHex(GET), 'ded', outgoing(client, dedicated))),
      encodeWrapper(1, 16, protectApdu(fromHex(ANSWER), 'ded', outgoing(server, dedicated))),
    ];
    const { layers, apdus, error } = decodeBytes(concat(session), { input: 'auto', keys });
    expect(error).toBeNull();
    expect(layers.filter(({ layer }) => layer === 'security')).toHaveLength(4);
    expect(apdus).toMatchObject([
      { apdu: 'aarq', userInformation: { inner: { apdu: 'initiateRequest', dedicatedKey: toHex(dedicated) } } },
      { apdu: 'aare', userInformation: { inner: { apdu: 'initiateResponse' } } },
      { apdu: 'get-request' },
      { apdu: 'get-response' },
    ]);
  });
  test('a GMAC value', () => {
    const octets = fromHex('10000000011a52fe7dd3e72748973c1e28');
    const challenge = ascii('P6wRJ21F');
    const options = { input: 'auto', keys: { ...keys, systemTitle: client } } as const;
    const good = [
      { layer: 'security', kind: 'hls-gmac-value', securityControl: '10', invocationCounter: 1, valid: true },
    ];
    expect(decodeBytes(octets, { ...options, challenge })).toMatchObject({ layers: good, apdus: [], error: null });
    const asData = concat([fromHex('0911'), octets]);
    expect(decodeBytes(asData, { ...options, challenge })).toMatchObject({ layers: good, error: null });
    const other = decodeBytes(octets, { ...options, challenge: ascii('K56iVagY') });
    expect(other).toMatchObject({ layers: [{ valid: false }], error: { code: 'DECRYPT_FAILED' } });
  });
  test('general ciphering and signing, with and without the key', () => {
    for (const vector of loadVectors('security').filter(({ id }) => /gbcs/.test(id))) {
      const { context } = vector;
      const derived = hexIn(context.derivedKey);
      const open = decodeBytes(bytesOf(vector), { input: 'auto' });
      expect(open.layers[0], vector.id).toMatchObject({ layer: 'security' });
      if (!isNegative(vector)) expect(open.apdus[0], vector.id).toMatchObject({ apdu: expect.any(String) });
      if (derived === null) continue;
      const withKey = {
        encryptionKey: derived,
        authenticationKey: new Uint8Array(0),
        systemTitle: hexIn(context.gmacIv)?.subarray(0, 8) ?? null,
      };
      const { layers, error } = decodeBytes(bytesOf(vector), { input: 'auto', keys: withKey });
      if (isNegative(vector)) expect(error, vector.id).toMatchObject({ code: 'DECRYPT_FAILED' });
      else expect(layers[0], vector.id).toMatchObject({ tagVerified: true });
    }
  });
});

describe('notifications', () => {
  test('octets behind the APDU are shown and told', () => {
    const { apdus, error } = auto(PUSH, 'aa');
    expect(apdus).toMatchObject([{ apdu: 'data-notification', trailingAfterApdu: 'aa' }]);
    expect(error).toMatchObject({ code: 'TRAILING_BYTES' });
  });
  test('a list that does not fit its values is shown undigested', () => {
    const list = '0101020412000109060000010000ff0f02120000';
    const { apdus, error } = auto(`0f00000001000203${list}06000000010600000002`);
    expect(apdus).toMatchObject([
      { apdu: 'data-notification', body: { type: 'structure' }, error: { code: 'MALFORMED' } },
    ]);
    expect(error).toMatchObject({ code: 'MALFORMED' });
  });
});

test('whatever the octets are, it never throws', () => {
  const keys = { encryptionKey: new Uint8Array(16), authenticationKey: null, systemTitle: new Uint8Array(8) };
  const vectors = ['push', 'mode-e', 'acse', 'apdu', 'wrapper', 'hdlc']
    .flatMap((name) => loadVectors(name))
    .map(bytesOf);
  const changes = fc.array(fc.tuple(fc.nat(800), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...vectors), changes, fc.constantFrom(...DECODE_INPUTS), (vector, changed, input) => {
      const octets = vector.slice();
      for (const [at, octet] of changed) if (octets.length > 0) octets[at % octets.length] = octet;
      const { layers, apdus, discarded, error } = decodeBytes(octets, { input, keys });
      expect(layers.length + apdus.length + discarded.length + (error === null ? 0 : 1)).toBeGreaterThan(0);
    }),
    { numRuns: 3000 },
  );
});
