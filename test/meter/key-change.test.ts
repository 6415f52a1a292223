/** Which key holds after a change, in every way that the two tries may end; and what travels. */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError, type ErrorCode } from '../../src/core/errors.ts';
import { dataBytes } from '../../src/dlms/axdr/data.ts';
import { keyTransferData } from '../../src/dlms/cosem/security-setup.ts';
import { NO_SECRETS } from '../../src/dlms/settings.ts';
import { changeFailed, heldKey, secretsAfter } from '../../src/meter/key-change.ts';

/** RFC 3394, 4.1: 128 bits of key data under a KEK of 128 bits. */
const KEK = fromHex('000102030405060708090a0b0c0d0e0f');
const KEY = fromHex('00112233445566778899aabbccddeeff');
const WRAPPED = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5';

test('array of 1: structure of 2: key id (enum), wrapped key (24 octets)', () => {
  expect(toHex(dataBytes(keyTransferData(KEK, [{ type: 'authentication', key: KEY }])))).toBe(
    `0101 0202 1602 0918${WRAPPED}`.replaceAll(' ', ''),
  );
});

type Tried = ErrorCode | null;

describe('the key that holds', () => {
  const held = (fresh: Tried, old: Tried) =>
    heldKey(async (which) => {
      const code = which === 'new' ? fresh : old;
      if (code !== null) throw new BridgeError(code, which);
    });

  test.each<[Tried, Tried, string]>([
    [null, null, 'new'],
    [null, 'DECRYPT_FAILED', 'new'],
    ['DECRYPT_FAILED', null, 'old'],
    ['ASSOCIATION_REJECTED', null, 'old'],
    ['AUTHENTICATION_FAILED', null, 'old'],
    ['EXCEPTION_RESPONSE', null, 'old'],
    ['DECRYPT_FAILED', 'DECRYPT_FAILED', 'neither'],
  ])('new: %s, old: %s', async (fresh, old, verdict) => {
    expect(await held(fresh, old)).toBe(verdict);
  });

  test.each(['METER_TIMEOUT', 'LINE_REFUSED'] as const)('%s says nothing of keys', async (code) => {
    await expect(held(code, null)).rejects.toMatchObject({ code });
    await expect(held('DECRYPT_FAILED', code)).rejects.toMatchObject({ code });
  });

  test('the failures say what to keep', () => {
    expect(changeFailed('old').report()).toMatchObject({ code: 'KEY_CHANGE_FAILED', fault: 'credentials' });
    expect(changeFailed('neither').hint).toContain('keep both keys');
  });
});

test('the secrets afterwards', () => {
  expect(secretsAfter(NO_SECRETS, { type: 'unicast', key: KEY })).toEqual({ ...NO_SECRETS, blockCipherKey: KEY });
  expect(secretsAfter(NO_SECRETS, { type: 'authentication', key: KEY })).toEqual({
    ...NO_SECRETS,
    authenticationKey: KEY,
  });
  expect(secretsAfter(NO_SECRETS, { type: 'broadcast', key: KEY })).toEqual(NO_SECRETS);
});
