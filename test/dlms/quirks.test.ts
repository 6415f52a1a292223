/** Quirks as data: the table, how they are written, the document that tells of them; and those of the protocol, each at work. */
import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex } from '../../src/core/bytes.ts';
import { AssociationClient } from '../../src/dlms/association/association.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, utcOf } from '../../src/dlms/axdr/date-time.ts';
import { DEFAULT_CLOCK, rangeSelection } from '../../src/dlms/cosem/profile-generic.ts';
import { GetExchange } from '../../src/dlms/exchange/get-exchange.ts';
import { SetExchange } from '../../src/dlms/exchange/set-exchange.ts';
import { HdlcClientLink } from '../../src/dlms/hdlc/client-link.ts';
import { decodeFrame, encodeFrame } from '../../src/dlms/hdlc/frame.ts';
import { encodeParameters, symmetricParameters } from '../../src/dlms/hdlc/parameters.ts';
import { NO_QUIRKS, parseQuirk, QUIRKS, type Quirks, quirksOf } from '../../src/dlms/quirks.ts';
import { type HlsVariant, hlsAnswer } from '../../src/dlms/security/hls.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import { CosemServer } from '../../src/simulator/meter/cosem-server.ts';
import { MeterModel } from '../../src/simulator/meter/meter-model.ts';

describe('the table', () => {
  test('names and keys stand once, and every key of the type has a row', () => {
    expect(new Set(QUIRKS.map(({ name }) => name)).size).toBe(QUIRKS.length);
    expect(new Set(QUIRKS.map(({ key }) => key)).size).toBe(QUIRKS.length);
    // One that has no row would be no key of what every meter has.
    const all: Record<keyof Quirks, unknown> = NO_QUIRKS;
    expect(Object.keys(all)).toHaveLength(QUIRKS.length);
    expect(quirksOf({})).toEqual(NO_QUIRKS);
  });

  test.each(QUIRKS.map((row) => [row.name, row] as const))('%s is written as its row says', (name, row) => {
    const { key, value } = row;
    const wrong = expect.objectContaining({ code: 'INVALID_VALUE' });
    if (value === 'flag') {
      expect(parseQuirk(name)).toEqual({ [key]: true });
      expect(() => parseQuirk(`${name}=1`)).toThrow(wrong);
    } else if ('min' in value) {
      expect(parseQuirk(`${name}=${value.min}`)).toEqual({ [key]: value.min });
      expect(parseQuirk(`${name}=${value.max}`)).toEqual({ [key]: value.max });
      for (const text of ['', '=', `=${value.max + 1}`, '=x', '=1.5', '=-1'])
        expect(() => parseQuirk(name + text)).toThrow(wrong);
    } else {
      for (const one of value) expect(parseQuirk(`${name}=${one}`)).toEqual({ [key]: one });
      expect(() => parseQuirk(`${name}=other`)).toThrow(wrong);
      expect(() => parseQuirk(name)).toThrow(wrong);
    }
  });

  test('one that is not there is refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!QUIRKS.some(({ name }) => text.split('=')[0] === name));
        expect(() => parseQuirk(text)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
      }),
    );
  });

  test('docs/quirks.md is the table', () => {
    const document = readFileSync(new URL('../../docs/quirks.md', import.meta.url), 'utf8');
    const rows = QUIRKS.map(({ name, value, default: otherwise, meaning, known }) => {
      const written = value === 'flag' ? name : 'min' in value ? `${name}=N` : `${name}=VALUE`;
      const range =
        value !== 'flag' && 'min' in value ? ` N: ${value.min} to ${value.max}${value.unit && ` ${value.unit}`}.` : '';
      const without = otherwise === false || otherwise === null ? 'off' : String(otherwise);
      return `| \`${written}\` | ${meaning}.${range} | ${without} | ${known} |`;
    });
    expect(document.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  });
});

const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2, accessSelection: null };

function associatedWith(quirks: Partial<Quirks>): AssociationClient {
  const model = new MeterModel({
    ...{ seed: 1, index: 0, server: 1, phases: 3 as const, authentication: 'none' as const, maxPdu: 1024 },
    password: new Uint8Array(0),
  });
  const meter = new CosemServer(model, 16);
  const client = new AssociationClient({
    settings: { ...DEFAULT_METER_SETTINGS, quirks },
    secrets: NO_SECRETS,
    random: (octets) => new Uint8Array(octets),
    takeCounter: () => 0,
    systemTitle: new Uint8Array(8),
  });
  client.receive(meter.receive(client.open(), 0).apdu ?? new Uint8Array());
  expect(client.state).toBe('associated');
  const answered = client.begin.bind(client);
  client.begin = (exchange) => {
    const sent = answered(exchange);
    for (const apdu of sent) client.receive(meter.receive(apdu, 0).apdu ?? new Uint8Array());
    return sent;
  };
  return client;
}

describe('requests', () => {
  const invokes = (quirks: Partial<Quirks>): number[] => {
    const client = associatedWith(quirks);
    return [1, 2, 3].map(() => client.begin(new GetExchange([ENERGY]))[0]?.[2] ?? -1);
  };

  test('are numbered and of high priority', () => {
    expect(invokes({})).toEqual([0xc1, 0xc2, 0xc3]);
  });

  test('constant-invoke-id', () => {
    expect(invokes({ constantInvokeId: 5 })).toEqual([0xc5, 0xc5, 0xc5]);
    expect(invokes({ constantInvokeId: 0 })).toEqual([0xc0, 0xc0, 0xc0]);
  });

  test('normal-priority', () => {
    expect(invokes({ normalPriority: true })).toEqual([0x41, 0x42, 0x43]);
  });

  test.each([0, 1] as const)('blocks-from-zero: the first block of a request is %i', (firstBlock) => {
    const value = { type: 'octet-string' as const, value: new Uint8Array(100) };
    const set = new SetExchange([{ ...ENERGY, value }]);
    const sent = [
      set.begin({
        invokeIdAndPriority: invokeIdAndPriority(1),
        maxRequestPdu: 50,
        firstBlock,
        require: () => {},
        isGranted: () => true,
      }),
    ];
    for (;;) {
      const last = sent.at(-1);
      if (last?.apdu !== 'set-request' || !('blockNumber' in last)) throw new Error('no block was sent');
      if (last.lastBlock) break;
      const { blockNumber, invokeIdAndPriority: invoke } = last;
      const step = set.receive({ apdu: 'set-response', type: 'datablock', invokeIdAndPriority: invoke, blockNumber });
      if (step.kind !== 'send') throw new Error(step.kind);
      sent.push(step.apdu);
    }
    const numbers = sent.map((apdu) => ('blockNumber' in apdu ? apdu.blockNumber : -1));
    expect(numbers.length).toBeGreaterThan(2);
    expect(numbers).toEqual(numbers.map((_, index) => index + firstBlock));
  });
});

describe('HDLC', () => {
  const settings = { client: 1, server: 1, physical: 17, addressSize: null, infoLength: 128, window: 1 };
  const ua = encodeFrame({
    destination: { upper: 1, lower: null, length: 1 },
    source: { upper: 1, lower: 17, length: 2 },
    control: { frameType: 'UA', pollFinal: true },
    segmented: false,
    information: encodeParameters(symmetricParameters(64, 1)),
  });

  test('snrm-without-parameters', () => {
    const informed = (quirks: Partial<Quirks>): boolean => {
      const [snrm = new Uint8Array()] = new HdlcClientLink({ ...settings, quirks }).connect().send;
      return decodeFrame(snrm).information !== null;
    };
    expect(informed({})).toBe(true);
    expect(informed({ snrmWithoutParameters: true })).toBe(false);
  });

  test('info-length-counts-frame: no frame is longer than what the meter said, flags and all', () => {
    const frame = (quirks: Partial<Quirks>): Uint8Array => {
      const link = new HdlcClientLink({ ...settings, quirks });
      link.connect();
      link.receive(ua);
      return link.send(new Uint8Array(200)).send[0] ?? new Uint8Array();
    };
    expect(decodeFrame(frame({})).information).toHaveLength(64);
    const counted = frame({ infoLengthCountsFrame: true });
    expect(counted.length).toBe(64);
    expect(decodeFrame(counted).information).toHaveLength(64 - 12);
  });
});

describe('hls-variant', () => {
  const exchange = {
    clientTitle: new Uint8Array(0),
    serverTitle: new Uint8Array(0),
    ctos: Buffer.from('client challenge'),
    stoc: Buffer.from('meter challenge'),
  };
  const secret = Buffer.from('secret');
  const answer = (variant: HlsVariant): Uint8Array =>
    hlsAnswer('client', exchange, { mechanism: 'high', variant, secret }, null);
  const decrypted = (key: Uint8Array, octets: Uint8Array): string => {
    const filled = Buffer.alloc(16);
    filled.set(key);
    const decipher = createDecipheriv('aes-128-ecb', filled, null).setAutoPadding(false);
    return Buffer.from(concat([decipher.update(octets), decipher.final()])).toString('latin1');
  };

  test('aes-ecb: the challenge under the secret', () => {
    expect(decrypted(secret, answer('aes-ecb'))).toBe('meter challenge\0');
  });

  test('aes-ecb-reversed: the secret under the challenge', () => {
    expect(decrypted(exchange.stoc, answer('aes-ecb-reversed'))).toBe('secret'.padEnd(16, '\0'));
  });

  test('a challenge that is no key of AES-128 is refused', () => {
    const longer = { ...exchange, stoc: new Uint8Array(17) };
    const credentials = { mechanism: 'high', variant: 'aes-ecb-reversed', secret } as const;
    expect(() => hlsAnswer('client', longer, credentials, null)).toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE' }),
    );
  });
});

describe('inverted-deviation', () => {
  const AT = Date.UTC(2024, 5, 15, 18, 23, 45);
  /** 20:23:45 in UTC+2, the deviation written as +120. */
  const inverted = fromHex('07e8060f061417 2d00 0078 80'.replaceAll(' ', ''));

  test('is the instant that the meter means', () => {
    const data = { type: 'octet-string', value: inverted } as const;
    const read = dateTimeOf(data, { invertedDeviation: true });
    expect(read === null ? null : utcOf(read)).toBe(AT);
    const plain = dateTimeOf(data);
    expect(plain === null ? null : utcOf(plain)).toBe(AT + 4 * 3_600_000);
  });

  test('is its own inverse, and leaves what is not specified', () => {
    fc.assert(
      fc.property(fc.option(fc.integer({ min: -840, max: 840 })), (deviation) => {
        const dateTime = { ...cosemDateTimeOf(AT, deviation ?? 0), deviation };
        const value = dateTimeBytes(dateTime);
        const read = dateTimeOf({ type: 'octet-string', value }, { invertedDeviation: true });
        expect(read?.deviation).toBe(deviation === null || deviation === 0 ? deviation : -deviation);
        expect(read?.hour).toBe(dateTime.hour);
      }),
    );
  });

  test('bounds of a range are written as the meter writes them', () => {
    const range = { restricting: DEFAULT_CLOCK, from: AT, to: AT, deviation: -120, sendsDeviation: true };
    const bound = (invertedDeviation: boolean): string => {
      const { parameters } = rangeSelection({ ...range, invertedDeviation });
      const [, from] = parameters.type === 'structure' ? parameters.value : [];
      return from?.type === 'octet-string' ? Buffer.from(from.value).toString('hex') : '';
    };
    expect(bound(false)).toBe('07e8060fff14172d00ff8800');
    expect(bound(true)).toBe('07e8060fff14172d00007800');
  });
});
