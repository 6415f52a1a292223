import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { alternativeTo, candidatesOn, findingOf, linksOf, wantedAuthentication } from '../../src/meter/detect.ts';
import { parseLink } from '../../src/transport/link-address.ts';

describe('what is tried', () => {
  test.each([
    ['tcp://m:4059', ['tcp://m:4059', 'tcp+hdlc://m:4059']],
    ['tcp+hdlc://m:4059', ['tcp+hdlc://m:4059', 'tcp://m:4059']],
    ['udp://m', ['udp://m:4059']],
  ])('%s', (text, links) => {
    expect(linksOf(parseLink(text)).map((address) => address.text)).toEqual(links);
  });

  test('a serial port: the rate given first, then the usual ones, mode E last; none twice', () => {
    const links = linksOf(parseLink('serial:///dev/x?baud=19200')).map((address) => address.text);
    expect(links[0]).toBe('serial:///dev/x?baud=19200&format=8N1');
    expect(links.at(-1)).toBe('serial+e:///dev/x?baud=300&format=7E1');
    expect(new Set(links).size).toBe(links.length);
    expect(links).toContain('serial:///dev/x?baud=9600&format=8N1');
  });

  test('the public client over all addresses before any other', () => {
    const clients = candidatesOn(parseLink('tcp+hdlc://m')).map(({ settings }) => settings.client);
    expect(clients).toEqual(clients.toSorted((a, b) => [16, 17, 1].indexOf(a) - [16, 17, 1].indexOf(b)));
    expect(candidatesOn(parseLink('tcp://m')).map(({ settings }) => settings)).toEqual(
      [16, 17, 1].map((client) => ({ client, server: 1, physical: null, addressSize: null, referencing: 'ln' })),
    );
  });

  test('short names where the context is refused, and nowhere else', () => {
    const [candidate] = candidatesOn(parseLink('tcp://m'));
    const next = alternativeTo(candidate!, 'CONTEXT_NOT_SUPPORTED');
    expect(next).toEqual({ ...candidate, settings: { ...candidate!.settings, referencing: 'sn' } });
    expect(alternativeTo(next!, 'CONTEXT_NOT_SUPPORTED')).toBeNull();
    expect(alternativeTo(candidate!, 'METER_TIMEOUT')).toBeNull();
    expect(alternativeTo(candidate!, null)).toBeNull();
  });
});

describe('what an attempt shows', () => {
  test.each([
    ['METER_TIMEOUT', 'nothing'],
    ['METER_GARBAGE', 'nothing'],
    ['WRONG_FRAMING', 'nothing'],
    ['LINE_REFUSED', 'nothing'],
    ['LINK_REFUSED', 'refused'],
    ['ASSOCIATION_REJECTED', 'refused'],
    ['AUTHENTICATION_FAILED', 'refused'],
    ['EXCEPTION_RESPONSE', 'refused'],
  ] as const)('%s: %s', (code, finding) => {
    expect(findingOf(new BridgeError(code, 'x'))).toBe(finding);
  });

  test('what the meter wants', () => {
    expect(wantedAuthentication(new BridgeError('AUTHENTICATION_FAILED', 'x'))).toContain('secret');
    expect(
      wantedAuthentication(new BridgeError('AUTHENTICATION_REQUIRED', 'accepted, but wants high level security')),
    ).toContain('HLS');
    expect(wantedAuthentication(new BridgeError('AUTHENTICATION_REQUIRED', 'mechanism-name-required'))).toContain(
      'mechanism',
    );
    expect(wantedAuthentication(new BridgeError('CONTEXT_NOT_SUPPORTED', 'x'))).toContain('context');
  });
});
