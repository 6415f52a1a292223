import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { initDatabase, openDatabase } from '../../src/store/database.ts';
import { createSealing } from '../../src/store/sealing.ts';
import { codeOf, newDatabase, temporaryDirectory } from './support.ts';

const KEY = new Uint8Array(32).fill(7);
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('sealing', () => {
  test('opens what it sealed', () => {
    const { seal, open } = createSealing(KEY);
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (purpose, plain) => {
        expect(Uint8Array.from(open(purpose, seal(purpose, plain)))).toEqual(plain);
      }),
    );
  });

  test('gives other octets each time', () => {
    const { seal } = createSealing(KEY);
    expect(seal('a', bytes('secret'))).not.toEqual(seal('a', bytes('secret')));
  });

  test('opens neither for another purpose, nor with another key, nor when changed anywhere', () => {
    const { seal, open } = createSealing(KEY);
    const sealed = seal('connection/token/1', bytes('secret'));
    expect(codeOf(() => open('connection/token/2', sealed))).toBe('SEALING_KEY_WRONG');
    expect(codeOf(() => createSealing(new Uint8Array(32)).open('connection/token/1', sealed))).toBe(
      'SEALING_KEY_WRONG',
    );
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Uint8Array.from(sealed, (octet, index) => (index === at ? octet ^ 1 : octet));
      expect(codeOf(() => open('connection/token/1', changed))).toBe('SEALING_KEY_WRONG');
      expect(codeOf(() => open('connection/token/1', sealed.subarray(0, at)))).toBe('SEALING_KEY_WRONG');
    }
  });

  test('fingerprints tell tokens and targets apart', () => {
    const { fingerprint } = createSealing(KEY);
    const print = fingerprint('mqtt://a:1883', 'token');
    expect(fingerprint('mqtt://a:1883', 'token')).toEqual(print);
    expect(fingerprint('mqtt://a:1883', 'token2')).not.toEqual(print);
    expect(fingerprint('mqtt://b:1883', 'token')).not.toEqual(print);
    expect(fingerprint('mqtt://a:1883t', 'oken')).not.toEqual(print);
    expect(createSealing(new Uint8Array(32)).fingerprint('mqtt://a:1883', 'token')).not.toEqual(print);
  });
});

describe('the key file', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  /** The path of a closed database and of its key. */
  function closedDatabase(): { path: string; key: string } {
    const path = join(temporaryDirectory(), 'dlms.db');
    initDatabase(path).close();
    return { path, key: join(dirname(path), 'dlms.key') };
  }

  function codeOfSealing(path: string): string {
    const database = openDatabase(path);
    try {
      return codeOf(() => database.sealing());
    } finally {
      database.close();
    }
  }

  test.each([0o640, 0o604, 0o660, 0o777])('with mode %o it is unsafe', (mode) => {
    const { path, key } = closedDatabase();
    chmodSync(key, mode);
    expect(codeOfSealing(path)).toBe('SEALING_KEY_UNSAFE');
    chmodSync(key, 0o400);
    expect(codeOfSealing(path)).toBe('');
  });

  test('another key is wrong, and so is what is no key', () => {
    const { path, key } = closedDatabase();
    writeFileSync(key, '00'.repeat(32));
    expect(codeOfSealing(path)).toBe('SEALING_KEY_WRONG');
    writeFileSync(key, 'not a key');
    expect(codeOfSealing(path)).toBe('SEALING_KEY_WRONG');
  });

  test('a lost key is not replaced, and the database opens without it for those who need no secrets', () => {
    const { path, key } = closedDatabase();
    rmSync(key);
    expect(codeOfSealing(path)).toBe('SEALING_KEY_MISSING');
    expect(codeOf(() => initDatabase(path))).toBe('SEALING_KEY_MISSING');
  });

  test('a systemd credential goes first, whatever mode it shows', () => {
    const { path, key } = closedDatabase();
    const credentials = temporaryDirectory();
    renameSync(key, join(credentials, 'dlms.key'));
    chmodSync(join(credentials, 'dlms.key'), 0o440);
    vi.stubEnv('CREDENTIALS_DIRECTORY', credentials);
    expect(codeOfSealing(path)).toBe('');
  });

  test('init uses a credential, and makes a key of its own when the credentials hold none', () => {
    const credentials = temporaryDirectory();
    mkdirSync(join(credentials, 'other'));
    vi.stubEnv('CREDENTIALS_DIRECTORY', credentials);
    const own = newDatabase();
    expect(readFileSync(join(dirname(own.path), 'dlms.key'), 'ascii')).toMatch(/^[0-9a-f]{64}\n$/);
    writeFileSync(join(credentials, 'dlms.key'), 'ab'.repeat(32), { mode: 0o600 });
    const given = newDatabase();
    expect(existsSync(join(dirname(given.path), 'dlms.key'))).toBe(false);
    expect(() => given.sealing()).not.toThrow();
  });
});
