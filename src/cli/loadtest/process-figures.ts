/** What a process costs, as Linux tells it (proc(5)). */
import { readFileSync } from 'node:fs';
import { fail } from '../../core/errors.ts';

export interface ProcessFigures {
  readonly rssBytes: number;
  /** User and system time since the process began, seconds. */
  readonly cpuSeconds: number;
}

/** USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat after the command's closing bracket, counted from 0: utime and stime. */
const UTIME = 11;
const STIME = 12;

/** Throws UNSUPPORTED where there is no /proc; NOT_FOUND when the process is gone. */
export function processFigures(pid: number): ProcessFigures {
  if (process.platform !== 'linux') fail('UNSUPPORTED', 'what a process costs is only known on Linux');
  const status = readProc(pid, 'status');
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  const stat = readProc(pid, 'stat');
  // The command stands in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[UTIME]) + Number(fields[STIME]);
  return { rssBytes: Number(rss ?? 0) * 1024, cpuSeconds: ticks / TICKS_PER_SECOND };
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (cause) {
    return fail('NOT_FOUND', `process ${pid} is gone`, { cause });
  }
}

/** How many files a process that we start may have open; Infinity where the system does not tell. */
export function openFilesLimit(): number {
  if (process.platform !== 'linux') return Number.POSITIVE_INFINITY;
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
