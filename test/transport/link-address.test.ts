/** The five forms of a link, their canonical text, and what is refused. */
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { framingOf, parseLink, transportOf } from '../../src/transport/link-address.ts';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('parse', () => {
  test.each([
    ['tcp://10.0.0.7:4059', 'tcp://10.0.0.7:4059'],
    ['tcp://Meter.Example', 'tcp://meter.example:4059'],
    ['TCP://meter/', 'tcp://meter:4059'],
    ['tcp://[FE80::1]:700', 'tcp://[fe80::1]:700'],
    ['tcp+hdlc://10.0.0.7:2000', 'tcp+hdlc://10.0.0.7:2000'],
    ['udp://meter', 'udp://meter:4059'],
    ['serial:///dev/ttyUSB0', 'serial:///dev/ttyUSB0?baud=9600&format=8N1'],
    ['serial:///dev/ttyUSB0?format=7e1&baud=300', 'serial:///dev/ttyUSB0?baud=300&format=7E1'],
    ['serial+e:///dev/serial/by-id/usb-x', 'serial+e:///dev/serial/by-id/usb-x?baud=300&format=7E1'],
  ])('%s is %s', (text, canonical) => {
    const address = parseLink(text);
    expect(address.text).toBe(canonical);
    expect(parseLink(canonical)).toEqual(address);
  });
  test('as data', () => {
    expect(parseLink('tcp+hdlc://h:1')).toEqual({
      kind: 'tcp',
      framing: 'hdlc',
      text: 'tcp+hdlc://h:1',
      host: 'h',
      port: 1,
    });
    expect(parseLink('serial:///dev/ttyS1?baud=19200')).toEqual({
      kind: 'serial',
      framing: 'hdlc',
      text: 'serial:///dev/ttyS1?baud=19200&format=8N1',
      path: '/dev/ttyS1',
      baudRate: 19200,
      format: { dataBits: 8, parity: 'N', stopBits: 1 },
    });
  });
  test.each([
    '',
    'meter',
    'http://host',
    'tcp://',
    'tcp://host:0',
    'tcp://host:65536',
    'tcp://host:abc',
    'tcp://user@host:1',
    'tcp://host:1/path',
    'tcp://host:1?x=1',
    'tcp://ho st',
    'serial://ttyUSB0',
    'serial:///',
    'serial:///dev/x?baud=fast',
    'serial:///dev/x?baud=0',
    'serial:///dev/x?format=9N1',
    'serial:///dev/x?speed=9600',
    'serial:///dev/x?baud=1&baud=2',
  ])('"%s" is refused', (text) => expect(codeOf(() => parseLink(text))).toBe('INVALID_LINK'));
});

describe('transport', () => {
  const clock = new VirtualClock();
  test.each([
    ['tcp://h', 'tcp h:4059', 'wrapper'],
    ['tcp+hdlc://[::1]:9', 'tcp [::1]:9', 'hdlc'],
    ['serial:///dev/ttyUSB0', 'serial /dev/ttyUSB0 9600 8N1', 'hdlc'],
    ['serial+e:///dev/ttyUSB0', 'serial /dev/ttyUSB0 300 8N1, mode E', 'hdlc'],
    ['udp://h', 'udp h:4059', 'wrapper'],
  ])('%s', (text, description, framing) => {
    const address = parseLink(text);
    expect([transportOf(address, clock).description, framingOf(address)]).toEqual([description, framing]);
  });
});
