/** What is in a push, and by what its sender is known, as people write it. */
import { describe, expect, test } from 'vitest';
import { canonicalPushPoint, parsePushPoint } from '../../src/reading/push-point.ts';
import { canonicalDialIn, marksOf, plainAddress } from '../../src/transport/dial-in.ts';
import { codeOf } from '../support/error-code.ts';

describe('push points', () => {
  test.for([
    ['3=voltage@scaler:-1@unit:V', '3=voltage@unit:V@scaler:-1'],
    [' 12 = a', '12=a'],
    ['3:1-0:1.8.0*255=e', '3:1.0.1.8.0.255=e'],
  ])('%s', ([text = '', canonical]) => {
    expect(canonicalPushPoint(text)).toBe(canonical);
    expect(parsePushPoint(canonical ?? '')).toEqual(parsePushPoint(text));
  });
  test.for(['0=a', '3=', '3=a@nonsense', '12345=a', 'x=a', ''])('refused: %s', (text) => {
    expect(codeOf(() => parsePushPoint(text))).toBe('INVALID_POINT');
  });
});

describe('marks of callers', () => {
  test.for([
    ['title=4D4D4D0000000001', 'title=4d4d4d0000000001'],
    ['source=::ffff:10.0.0.7', 'source=10.0.0.7'],
    ['device-name=MMM1', 'device-name=MMM1'],
  ])('%s', ([text = '', canonical]) => expect(canonicalDialIn(text)).toBe(canonical));
  test.for(['source=host.example', 'title=4D', 'device-name=', 'name=x', `device-name=${'x'.repeat(65)}`])(
    'refused: %s',
    (text) => expect(codeOf(() => canonicalDialIn(text))).toBe('INVALID_VALUE'),
  );
  test('without any: the system title, else the name', () => {
    const settings = { identify: [], serverSystemTitle: '4D4D4D0000000001' };
    expect(marksOf({ name: 'M', settings })).toEqual([{ kind: 'title', value: '4d4d4d0000000001' }]);
    expect(marksOf({ name: 'M', settings: { ...settings, serverSystemTitle: null } })).toEqual([
      { kind: 'device-name', value: 'M' },
    ]);
    expect(plainAddress('FE80::1')).toBe('fe80::1');
  });
});
