/** The client's sign-on of mode E: whole, octet by octet, with echo, noise and silence. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex } from '../../src/core/bytes.ts';
import { asciiOctets, encodeRequest } from '../../src/dlms/mode-e/messages.ts';
import { addEvenParity } from '../../src/dlms/mode-e/parity.ts';
import { DEFAULT_SIGN_ON, ModeESignOn, type SignOnEvent, type SignOnSettings } from '../../src/dlms/mode-e/sign-on.ts';
import { codeOf } from '../support/error-code.ts';

const ZMG = asciiOctets('/LGZ5\\2ZMG410000b.P07\r\n');
const ECHO = addEvenParity(encodeRequest(null));

function started(settings: Partial<SignOnSettings> = {}): ModeESignOn {
  const signOn = new ModeESignOn({ ...DEFAULT_SIGN_ON, ...settings });
  signOn.start();
  return signOn;
}

interface Heard {
  readonly sent: readonly string[];
  readonly delays: readonly number[];
  readonly events: readonly SignOnEvent[];
}

function hear(signOn: ModeESignOn, ...portions: readonly Uint8Array[]): Heard {
  const outputs = portions.map((portion) => signOn.receive(portion));
  return {
    sent: outputs.flatMap(({ send }) => send.map(toHex)),
    delays: outputs.filter(({ send }) => send.length > 0).map(({ delayMs }) => delayMs),
    events: outputs.flatMap(({ events }) => events),
  };
}

const kinds = ({ events }: Heard): string[] => events.map(({ kind }) => kind);
const octetByOctet = (octets: Uint8Array): Uint8Array[] => [...octets].map((octet) => Uint8Array.of(octet));

describe('a meter that offers HDLC', () => {
  test('is called, answered after its reaction time, and the rate changes', () => {
    const signOn = new ModeESignOn();
    expect(signOn.initialBaudRate).toBe(300);
    expect(signOn.start()).toEqual({ send: [ECHO], delayMs: 0, events: [] });
    const heard = hear(signOn, addEvenParity(ZMG));
    expect(heard.sent).toEqual([toHex(addEvenParity(asciiOctets('\x06252\r\n')))]);
    expect(heard.delays).toEqual([200]);
    expect(heard.events).toEqual([
      {
        kind: 'identified',
        identification: expect.objectContaining({ manufacturer: 'LGZ', announcesModeEHdlc: true }),
      },
      { kind: 'ready', baudRate: 9600 },
    ]);
  });
  test('octet by octet', () => {
    expect(kinds(hear(started(), ...octetByOctet(addEvenParity(ZMG))))).toEqual(['identified', 'ready']);
  });
  test('a small third letter: 20 ms', () => {
    expect(hear(started(), addEvenParity(asciiOctets('/ISk6\\2MT\r\n'))).delays).toEqual([20]);
  });
  test('on a line that does parity itself', () => {
    const signOn = new ModeESignOn({ ...DEFAULT_SIGN_ON, softwareParity: false });
    expect(signOn.start().send.map(toHex)).toEqual(['2f3f210d0a']);
    expect(hear(signOn, ZMG).sent).toEqual(['063235320d0a']);
  });
  test('through a converter that takes the parity bits off', () => {
    expect(kinds(hear(started(), ZMG))).toEqual(['identified', 'ready']);
  });
  test('that does not switch stays at 300 Bd', () => {
    const heard = hear(started({ switchBaud: false, softwareParity: false }), ZMG);
    expect(heard.sent).toEqual(['063230320d0a']);
    expect(heard.events.at(-1)).toEqual({ kind: 'ready', baudRate: 300 });
  });
  test('ends its line with LF alone', () => {
    expect(kinds(hear(started(), asciiOctets('/LGZ5\\2X\n')))).toEqual(['identified', 'ready']);
  });
});

describe('a disturbed line', () => {
  const echoes = concat([ECHO, addEvenParity(ZMG)]);
  test('our own request comes back first', () => {
    expect(kinds(hear(started(), echoes))).toEqual(['identified', 'ready']);
    expect(kinds(hear(started({ address: '12' }), asciiOctets('/?12!\r\n/LGZ5\\2A\r\n')))).toEqual([
      'identified',
      'ready',
    ]);
  });
  test('noise before the identification, slashes and line ends among it', () => {
    const noise = Uint8Array.of(0x00, 0xff, 0x2f, 0xaf, 0x0a, 0x8a, 0x2f, 0x3f, 0x80);
    expect(kinds(hear(started(), noise, addEvenParity(ZMG)))).toEqual(['identified', 'ready']);
  });
  test('more noise than is kept', () => {
    const noise = new Uint8Array(10_000).fill(0xaf);
    expect(kinds(hear(started(), noise, addEvenParity(ZMG)))).toEqual(['identified', 'ready']);
  });
  test('a wrong parity bit: the line is not believed', () => {
    const damaged = addEvenParity(ZMG).map((octet, index) => (index === 4 ? octet ^ 0x01 : octet));
    const signOn = started();
    expect(kinds(hear(signOn, damaged))).toEqual([]);
    expect(signOn.timeout().send.map(toHex)).toEqual([toHex(ECHO)]);
    expect(kinds(hear(signOn, addEvenParity(ZMG)))).toEqual(['identified', 'ready']);
  });
  test('half an identification is forgotten when the request is repeated', () => {
    const signOn = started();
    hear(signOn, addEvenParity(asciiOctets('/LGZ5\\2HALF')));
    signOn.timeout();
    const { events } = hear(signOn, addEvenParity(ZMG));
    expect(events[0]).toMatchObject({ identification: { identification: 'ZMG410000b.P07' } });
  });
  test('cut anywhere, the identification comes once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat(80), { maxLength: 5 }), (noise, cuts) => {
        const line = concat([noise, Uint8Array.of(0x0a), echoes]);
        const at = [0, ...cuts.filter((cut) => cut < line.length).sort((a, b) => a - b), line.length];
        const portions = at.slice(1).map((end, index) => line.subarray(at[index], end));
        expect(kinds(hear(started(), ...portions))).toEqual(['identified', 'ready']);
      }),
    );
  });
});

describe('a meter that does not', () => {
  test.each(['/LGF5E360\r\n', '/Ene5\\T210-D ESMR5.0\r\n', '/KAM MC\r\n', '/XYZ9\\2A\r\n'])(
    'offer HDLC: %j',
    (line) => {
      const { sent, events } = hear(started(), asciiOctets(line));
      expect(sent).toEqual([]);
      expect(events.map(({ kind }) => kind)).toEqual(['identified', 'failed']);
      expect(events[1]).toMatchObject({ error: { code: 'MODE_E_NOT_OFFERED', layer: 'mode-e' } });
    },
  );

  const outcome = (signOn: ModeESignOn): SignOnEvent | undefined => {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const [event] = signOn.timeout().events;
      if (event !== undefined) return event;
    }
    return undefined;
  };
  test('answer at all: asked three times, then silence', () => {
    const signOn = started();
    expect(signOn.timeout().send).toHaveLength(1);
    expect(signOn.timeout().send).toHaveLength(1);
    expect(signOn.timeout()).toMatchObject({
      send: [],
      events: [{ kind: 'failed', error: { code: 'METER_TIMEOUT' } }],
    });
    expect(signOn.timeout()).toEqual({ send: [], delayMs: 0, events: [] });
  });
  test('answer, only the echo comes', () => {
    const signOn = started();
    hear(signOn, ECHO);
    expect(outcome(signOn)).toMatchObject({
      error: { code: 'METER_TIMEOUT', message: expect.stringContaining('echo') },
    });
  });
  test('speak at this rate: garbage', () => {
    const signOn = started();
    hear(signOn, Uint8Array.of(0xf0, 0xc3, 0x1e, 0x0a));
    expect(outcome(signOn)).toMatchObject({ error: { code: 'METER_GARBAGE', facts: { first: 'f0c31e0a' } } });
  });
});

test('what comes after the end is not looked at, and it can be started again', () => {
  const signOn = started();
  hear(signOn, addEvenParity(ZMG));
  expect(hear(signOn, addEvenParity(ZMG)).events).toEqual([]);
  expect(signOn.start().send).toHaveLength(1);
  expect(kinds(hear(signOn, addEvenParity(ZMG)))).toEqual(['identified', 'ready']);
});

test('octets before the start are a fault of the caller', () => {
  expect(codeOf(() => new ModeESignOn().receive(ZMG))).toBe('INTERNAL');
  expect(new ModeESignOn().timeout().events).toEqual([]);
  expect(codeOf(() => new ModeESignOn({ ...DEFAULT_SIGN_ON, address: '!' }))).toBe('INVALID_VALUE');
});
