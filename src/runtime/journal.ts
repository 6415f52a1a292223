/** Whether what a process writes is read by journald (sd-daemon(3)). */
import { fstatSync } from 'node:fs';

/**
 * Of the stream with descriptor 1 or 2. The variable alone would not do: children inherit it, and their streams may go
 * elsewhere.
 */
export function goesToJournal(descriptor: 1 | 2, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.JOURNAL_STREAM === undefined) return false;
  const { dev, ino } = fstatSync(descriptor);
  return env.JOURNAL_STREAM === `${dev}:${ino}`;
}
