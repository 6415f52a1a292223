/** The file with the sealing key: 64 hex digits, readable by its owner only; or a systemd credential. */
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromHex } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
import { mapped } from './errors.ts';
import { KEY_OCTETS } from './sealing.ts';

const NAME = 'dlms.key';

export interface KeyFile {
  readonly path: string;
  /** Given by systemd (LoadCredential=), which looks after its permissions itself. */
  readonly credential: boolean;
}

/** Where the key of the database at `databasePath` is: the credential if there is one, else beside the database. */
export function keyFileOf(databasePath: string): KeyFile {
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  if (credentials !== undefined && existsSync(join(credentials, NAME))) {
    return { path: join(credentials, NAME), credential: true };
  }
  return { path: keyBeside(databasePath), credential: false };
}

/** The file with the new key while the key is being rotated. */
export function pendingKeyFileOf(databasePath: string): string {
  return `${keyBeside(databasePath)}.new`;
}

/**
 * Where else the key may be when that of `keyFileOf` does not fit: systemd hands out the key as it was when the unit
 * started, and a rotation may have been broken off before the new key took the place of the old one.
 */
export function otherKeyFilesOf(databasePath: string): readonly KeyFile[] {
  return [keyBeside(databasePath), pendingKeyFileOf(databasePath)]
    .filter((path) => existsSync(path))
    .map((path) => ({ path, credential: false }));
}

function keyBeside(databasePath: string): string {
  return join(dirname(databasePath), NAME);
}

/** Writes a key, a new random one if none is given, with mode 0600, durably. Never overwrites. */
export function createKeyFile(path: string, key: Uint8Array = randomBytes(KEY_OCTETS)): void {
  mapped(path, () => {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, `${Buffer.from(key).toString('hex')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    ownAsDirectory(path);
    makeDurable(dirname(path));
  });
}

/**
 * Gives a file that root made to the owner of its directory: `sudo dlms init` must not leave a database that the service
 * cannot open. Does nothing for other users.
 */
export function ownAsDirectory(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  chownSync(path, uid, gid);
}

/** The key. Throws SEALING_KEY_MISSING, SEALING_KEY_UNSAFE (others can read it), SEALING_KEY_WRONG (it is no key). */
export function readKeyFile({ path, credential }: KeyFile): Uint8Array {
  if (!existsSync(path)) fail('SEALING_KEY_MISSING', `${path} is not there`);
  return mapped(path, () => {
    const mode = statSync(path).mode & 0o777;
    // A credential shows group permission where systemd grants access by an ACL.
    if (!credential && (mode & 0o077) !== 0) {
      fail('SEALING_KEY_UNSAFE', `${path} has mode ${mode.toString(8)}`, { hint: `chmod 600 ${path}` });
    }
    const text = readFileSync(path, 'ascii').trim();
    if (!/^[0-9a-f]{64}$/i.test(text)) fail('SEALING_KEY_WRONG', `${path} does not hold 64 hex digits`);
    return fromHex(text);
  });
}

/** Makes durable what a file holds, or which names a directory has. */
export function makeDurable(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
