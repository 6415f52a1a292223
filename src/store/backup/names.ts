/** Names that carry a time: `dlms-20260131T054500123Z.db`. They sort by it. */
import { dirname, join } from 'node:path';

/** Milliseconds UTC as part of a name. */
export function stampOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:.]/g, '');
}

/** The time behind `prefix` in a name that ends with `suffix` after it; null for any other name. */
export function timeIn(name: string, prefix: string, suffix: string): number | null {
  if (!name.startsWith(prefix) || !name.endsWith(suffix)) return null;
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(
    name.slice(prefix.length, name.length - suffix.length),
  );
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second, ms] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  return Number.isNaN(time) ? null : time;
}

/** Where backups of the database at this path are kept. */
export function backupDirectoryOf(databasePath: string): string {
  return join(dirname(databasePath), 'backups');
}
