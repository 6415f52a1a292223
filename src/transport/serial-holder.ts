/** Who holds a serial port, as far as /proc shows it: a lock first, else an open file of a process that we may look at. */
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface PortHolder {
  readonly pid: number;
  /** Null when it cannot be seen. */
  readonly name: string | null;
}

/** Null when nobody can be seen, or there is no /proc. Never throws. */
export async function holderOf(path: string, proc = '/proc'): Promise<PortHolder | null> {
  try {
    const device = await realpath(path);
    const pid = (await lockHolder(device, proc)) ?? (await openHolder(device, proc));
    return pid === null ? null : { pid, name: await nameOf(pid, proc) };
  } catch {
    // Whatever keeps us from looking, the port is busy all the same.
    return null;
  }
}

/** `1: FLOCK  ADVISORY  WRITE 1234 00:05:917 0 EOF` (proc(5)): device and inode of the file that is locked. */
async function lockHolder(device: string, proc: string): Promise<number | null> {
  const { ino } = await stat(device);
  const locks = await readFile(join(proc, 'locks'), 'utf8').catch(() => '');
  for (const line of locks.split('\n')) {
    const [, kind, , , pid, file = ''] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && file.endsWith(`:${ino}`) && (await holds(device, Number(pid), proc))) return Number(pid);
  }
  return null;
}

/** The inode alone may be another file system's: who shows its files must have this one open. */
async function holds(device: string, pid: number, proc: string): Promise<boolean> {
  if (!(pid > 0)) return false;
  const files = await filesOf(pid, proc);
  return files === null || files.includes(device);
}

async function openHolder(device: string, proc: string): Promise<number | null> {
  for (const entry of await readdir(proc)) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const files = await filesOf(Number(entry), proc);
    if (files?.includes(device)) return Number(entry);
  }
  return null;
}

/** Paths of the files that a process has open; null when we may not look. */
async function filesOf(pid: number, proc: string): Promise<string[] | null> {
  const directory = join(proc, String(pid), 'fd');
  try {
    const files = await readdir(directory);
    return await Promise.all(files.map((file) => readlink(join(directory, file)).catch(() => '')));
  } catch {
    return null;
  }
}

async function nameOf(pid: number, proc: string): Promise<string | null> {
  const name = await readFile(join(proc, String(pid), 'comm'), 'utf8').catch(() => null);
  return name?.trim() ?? null;
}
