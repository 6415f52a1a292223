/** Names of serial ports and who holds them, on directories that look like /dev and /proc. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holderOf } from '../../src/transport/serial-holder.ts';
import { byIdOf, currentPath } from '../../src/transport/serial-path.ts';

let root: string;
let byId: string;
const dev = (name: string): string => join(root, name);
const id = (name: string): string => join(byId, name);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dlms-dev-'));
  byId = join(root, 'by-id');
  mkdirSync(byId);
  for (const name of ['ttyUSB0', 'ttyUSB1']) writeFileSync(dev(name), '');
  symlinkSync('../ttyUSB0', id('usb-FTDI_A-if00'));
  symlinkSync('../ttyUSB1', id('usb-FTDI_B-if00'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('by-id names', () => {
  test('of a path, of a port that has none, of what is not there', async () => {
    expect(await byIdOf(dev('ttyUSB1'), byId)).toBe(id('usb-FTDI_B-if00'));
    expect(await byIdOf(id('usb-FTDI_B-if00'), byId)).toBeNull();
    writeFileSync(dev('ttyS0'), '');
    expect(await byIdOf(dev('ttyS0'), byId)).toBeNull();
    expect(await byIdOf(dev('ttyUSB9'), byId)).toBeNull();
    expect(await byIdOf(dev('ttyUSB0'), join(root, 'nowhere'))).toBeNull();
  });

  test('an adapter that comes back under another kernel name is found; one that was replaced is taken by the path', async () => {
    const remembered = await byIdOf(dev('ttyUSB0'), byId);
    expect(await currentPath(dev('ttyUSB0'), remembered)).toBe(id('usb-FTDI_A-if00'));
    renameSync(dev('ttyUSB0'), dev('ttyUSB2'));
    rmSync(id('usb-FTDI_A-if00'));
    expect(await currentPath(dev('ttyUSB0'), remembered)).toBe(dev('ttyUSB0'));
    symlinkSync('../ttyUSB2', id('usb-FTDI_A-if00'));
    expect(await currentPath(dev('ttyUSB0'), remembered)).toBe(id('usb-FTDI_A-if00'));
  });

  test.each([
    ['usb-FTDI_*', 'usb-FTDI_A-if00'],
    ['usb-*_B-*', 'usb-FTDI_B-if00'],
    ['*-if00', 'usb-FTDI_A-if00'],
    ['usb-*A*A*', 'usb-*A*A*'],
    ['usb-Prolific*', 'usb-Prolific*'],
  ])('%s is %s', async (pattern, name) => {
    expect(await currentPath(id(pattern), null)).toBe(id(name));
  });
});

describe('the holder of a port', () => {
  const process1234 = (files: readonly string[]): string => {
    const proc = join(root, 'proc');
    mkdirSync(join(proc, '1234', 'fd'), { recursive: true });
    writeFileSync(join(proc, '1234', 'comm'), 'minicom\n');
    for (const [number, file] of files.entries()) symlinkSync(file, join(proc, '1234', 'fd', String(number)));
    return proc;
  };

  test('by its lock', async () => {
    const proc = process1234([dev('ttyUSB0')]);
    const lock = `1: FLOCK  ADVISORY  WRITE 1234 00:05:${statSync(dev('ttyUSB0')).ino} 0 EOF\n`;
    writeFileSync(join(proc, 'locks'), `2: POSIX  ADVISORY  WRITE 9 00:05:1 0 EOF\n${lock}`);
    expect(await holderOf(id('usb-FTDI_A-if00'), proc)).toEqual({ pid: 1234, name: 'minicom' });
    expect(await holderOf(dev('ttyUSB1'), proc)).toBeNull();
  });

  test('by its open file', async () => {
    expect(await holderOf(dev('ttyUSB0'), process1234(['/dev/null', dev('ttyUSB0')]))).toEqual({
      pid: 1234,
      name: 'minicom',
    });
  });

  test('a lock on a file of another file system with the same number is not taken for it', async () => {
    const proc = process1234(['/dev/null']);
    const { ino } = statSync(dev('ttyUSB0'));
    writeFileSync(join(proc, 'locks'), `1: FLOCK  ADVISORY  WRITE 1234 00:07:${ino} 0 EOF\n`);
    expect(await holderOf(dev('ttyUSB0'), proc)).toBeNull();
  });

  test('nobody to be seen', async () => {
    expect(await holderOf(dev('ttyUSB0'), join(root, 'no-proc'))).toBeNull();
    expect(await holderOf(dev('ttyUSB9'))).toBeNull();
  });
});
