/** A file system of its own, small enough to be filled. */
import { execFileSync } from 'node:child_process';
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Mounts one on a directory, until `atEnd`; false where this process may not mount. */
export function mountSmallDisk(directory: string, megabytes: number, atEnd: (undo: () => void) => void): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    return false;
  }
  atEnd(() => void execFileSync('umount', ['-l', directory]));
  return true;
}

/** Octets that are free on the file system of a directory. */
export function freeOctets(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** Takes all that is free but `left` octets; returns the file to be removed. */
export function fillDisk(directory: string, left = 0): string {
  const filler = join(directory, 'filler');
  writeFileSync(filler, Buffer.alloc(Math.max(0, freeOctets(directory) - left)));
  return filler;
}
