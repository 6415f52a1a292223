/**
 * Reading from a database of which parts are damaged: rows are asked for in ranges of their ids, and a range that cannot
 * be read is halved until what is lost is as little as it can be. SQLite has to be able to open the file; where its first
 * page is damaged, that of a backup is put in its place, in a copy.
 */
import { closeSync, constants, copyFileSync, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { mapped, storeError } from '../errors.ts';
import { salvageFileOf } from './replacing.ts';

/** Ranges that are halved at most: of a large damage the rest is given up. */
const MOST_SPLITS = 100_000;

export interface ReadableRows<Row> {
  /** By ascending id. */
  rows(): Iterable<Row>;
  /** Ids, not rows, that could not be looked at: some of them may never have been there. */
  readonly unreadableIds: number;
}

/** The rows of a table with ids from 1 to `last`. `columns`: as in SELECT, `id` among them. */
export function readableRows<Row extends { readonly id: number }>(
  sql: BetterSqlite3.Database,
  table: string,
  columns: string,
  last: number,
): ReadableRows<Row> {
  const { ids, unreadableIds } = readableIds(sql, `SELECT ${columns} FROM ${table} WHERE id BETWEEN ? AND ?`, last);
  return {
    unreadableIds,
    *rows() {
      const select = sql.prepare<[number], Row>(`SELECT ${columns} FROM ${table} WHERE id = ?`);
      for (const id of ids) {
        const row = select.get(id);
        if (row !== undefined) yield row;
      }
    },
  };
}

/** Which rows can be read with all their columns. They are held as ids only: there may be millions. */
function readableIds(sql: BetterSqlite3.Database, statement: string, last: number) {
  const select = sql.prepare<[number, number], { id: number }>(`${statement} ORDER BY id`);
  const ids: number[] = [];
  let unreadableIds = 0;
  let splits = 0;
  // The larger ranges first, so that one bad place does not use up what there is for all of them.
  const ranges: (readonly [number, number])[] = [[1, last]];
  for (let next = ranges.shift(); next !== undefined; next = ranges.shift()) {
    let [from] = next;
    const [, to] = next;
    try {
      for (const { id } of select.iterate(from, to)) {
        from = id + 1;
        ids.push(id);
      }
    } catch (thrown) {
      if (!(thrown instanceof BetterSqlite3.SqliteError)) throw thrown;
      if (from >= to || splits >= MOST_SPLITS) unreadableIds += Math.max(1, to - from + 1);
      else {
        splits += 1;
        const middle = from + Math.floor((to - from) / 2);
        ranges.push([from, middle], [middle + 1, to]);
      }
    }
  }
  return { ids: ids.sort((a, b) => a - b), unreadableIds };
}

/** All rows of a statement; null when not all can be read. */
export function allOrNull<Row>(sql: BetterSqlite3.Database, statement: string): readonly Row[] | null {
  try {
    return sql.prepare<[], Row>(statement).all();
  } catch (thrown) {
    if (!(thrown instanceof BetterSqlite3.SqliteError)) throw thrown;
    return null;
  }
}

/**
 * The database that is to be replaced, as far as it can be read; null where SQLite makes nothing of it. Nobody else can
 * write to it until it is closed. `donor`: a database of the same origin, for its first page. Throws DATABASE_LOCKED.
 */
export function openPresent(file: string, donor: string): BetterSqlite3.Database | null {
  const sql = opened(file);
  if (sql !== null || !existsSync(file) || statSync(file).size === 0) return sql;
  const copy = salvageFileOf(file);
  mapped(file, () => {
    copyFileSync(file, copy, constants.COPYFILE_FICLONE);
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
    transplantFirstPage(donor, copy);
  });
  return opened(copy);
}

/** null when it is no database that could be read. Throws DATABASE_LOCKED. */
function opened(file: string): BetterSqlite3.Database | null {
  let sql: BetterSqlite3.Database | null = null;
  try {
    sql = new BetterSqlite3(file, { fileMustExist: true });
    sql.exec('BEGIN IMMEDIATE');
    sql.prepare('SELECT id FROM outbox LIMIT 0').get();
    return sql;
  } catch (thrown) {
    sql?.close();
    const error = storeError(thrown, file);
    if (error.code === 'DATABASE_LOCKED' || !(thrown instanceof BetterSqlite3.SqliteError)) throw error;
    return null;
  }
}

const PAGE_SIZE_AT = 16;
/** How many pages there are, by the header; 0: what the size of the file says. */
const PAGE_COUNT_AT = 28;

/** The first page holds the header and where each table begins, which is the same in databases of one origin. */
function transplantFirstPage(donor: string, patient: string): void {
  const header = Buffer.alloc(100);
  const from = openSync(donor, 'r');
  const to = openSync(patient, 'r+');
  try {
    readSync(from, header, 0, header.length, 0);
    const size = header.readUInt16BE(PAGE_SIZE_AT);
    const page = Buffer.alloc(size === 1 ? 65_536 : size);
    readSync(from, page, 0, page.length, 0);
    page.writeUInt32BE(0, PAGE_COUNT_AT);
    writeSync(to, page, 0, page.length, 0);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
