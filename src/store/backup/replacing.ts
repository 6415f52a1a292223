/**
 * How one database takes the place of another, whole or not at all: the new one is made ready under another name
 * (`.staged`), and called `.next` when it is complete. That is the moment of decision: before it the old database is the
 * database, after it the new one is, and whoever comes next with the daemon's lock ends what was broken off. Until then
 * nobody opens either of them (`openDatabase`).
 *
 * The old write-ahead log goes before the new file comes: SQLite would take what is in it for changes of the new one.
 */
import { existsSync, linkSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { nextFileOf } from '../database.ts';
import { mapped } from '../errors.ts';
import { makeDurable } from '../key-file.ts';
import { stampOf, timeIn } from './names.ts';

const ASIDE = '.aside-';

/** Where the new database is made ready. */
export function stagedFileOf(file: string): string {
  return `${file}.staged`;
}

/** A copy of the old database that is made to be read from. */
export function salvageFileOf(file: string): string {
  return `${file}.salvage`;
}

/** Takes away what a preparation leaves, one that was broken off among them. */
export function removePrepared(file: string): void {
  for (const made of [stagedFileOf(file), salvageFileOf(file)]) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${made}${suffix}`, { force: true });
  }
}

/** Decides: the staged database is the database from now on. Returns the name under which the old one is kept; null for none. */
export function replaceByStaged(file: string): string | null {
  return mapped(file, () => {
    makeDurable(stagedFileOf(file));
    renameSync(stagedFileOf(file), nextFileOf(file));
    makeDurable(dirname(file));
    return finishReplacing(file);
  });
}

/**
 * Ends a replacement that was decided, however far it had come; does nothing where there is none. Under the daemon's lock
 * or the like. Returns the name under which the old database is kept; null for none.
 */
export function finishReplacing(file: string): string | null {
  const next = nextFileOf(file);
  return mapped(file, () => {
    if (!existsSync(next)) return null;
    // Of the time of the decision, so that who ends it later names the parts alike.
    const aside = `${file}${ASIDE}${stampOf(statSync(next).mtimeMs)}`;
    if (holdsSomething(`${file}-wal`)) renameSync(`${file}-wal`, `${aside}-wal`);
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    if (holdsSomething(file) && !existsSync(aside)) linkSync(file, aside);
    makeDurable(dirname(file));
    renameSync(next, file);
    makeDurable(dirname(file));
    return existsSync(aside) ? aside : null;
  });
}

function holdsSomething(file: string): boolean {
  return existsSync(file) && statSync(file).size > 0;
}

/** When databases were set aside here, milliseconds UTC, in no order. */
export function asideTimes(file: string): readonly number[] {
  const names = mapped(file, () => readdirSync(dirname(file)));
  return names.flatMap((name) => timeIn(name, `${basename(file)}${ASIDE}`, '') ?? []);
}
