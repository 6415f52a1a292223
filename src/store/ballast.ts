/**
 * A reserve for the full disk: with SQLite even deleting a row needs room (it goes into the write-ahead log first), so
 * an outbox on a full disk could never drain. The ballast file gives its room back for exactly that.
 */

import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { storeError } from './errors.ts';

/** Twice what the write-ahead log grows to before it is written back. */
export const BALLAST_OCTETS = 8 << 20;
/** What must be free besides, or the ballast itself would fill the disk. */
const MARGIN_OCTETS = 1 << 20;
const CHUNK_OCTETS = 1 << 20;

export interface Ballast {
  /** Whether the reserve stands. */
  readonly held: boolean;
  /** Gives the room back. */
  release(): void;
  /** Makes the reserve when there is room for it; tells whether it stands. Throws DATABASE_DENIED, DATABASE_ERROR. */
  restore(): boolean;
}

export function createBallast(databasePath: string, octets: number = BALLAST_OCTETS): Ballast {
  const file = `${databasePath}.ballast`;
  let held = existsSync(file) && statSync(file).size >= octets;
  return {
    get held() {
      return held;
    },
    release() {
      held = false;
      rmSync(file, { force: true });
    },
    restore() {
      if (held) return true;
      const { bavail, bsize } = statfsSync(dirname(file));
      if (bavail * bsize < octets + MARGIN_OCTETS) return false;
      held = fill(file, octets);
      return held;
    },
  };
}

/** Writes the file out; false, and no file, when the disk has less room than it says (quota). */
function fill(file: string, octets: number): boolean {
  // Random octets: a file system that compresses would keep no room free for zeros.
  const chunk = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK_OCTETS, octets)));
  try {
    const handle = openSync(file, 'w', 0o600);
    try {
      for (let left = octets; left > 0; ) left -= writeSync(handle, chunk, 0, Math.min(left, chunk.length));
      // Some file systems give out blocks only when they write them back.
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    return true;
  } catch (thrown) {
    rmSync(file, { force: true });
    const error = storeError(thrown, file);
    if (error.code !== 'DATABASE_FULL') throw error;
    return false;
  }
}
