/** Who we are to meters that want protected messages. */
import { fromHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { MeterSettings } from '../../dlms/settings.ts';
import type { Database } from '../database.ts';
import { mapped } from '../errors.ts';

/**
 * The client system title of this installation (Green Book 4.3.4), 8 octets: `DMM` and five random octets, made once with
 * the database. For meters whose settings have none of their own.
 */
export function clientSystemTitle({ sql, path }: Database): Uint8Array {
  const select = 'SELECT system_title AS title FROM installation WHERE id = 1';
  const row = mapped(path, () => sql.prepare<[], { title: Buffer }>(select).get());
  if (row === undefined) return fail('DATABASE_CORRUPT', `${path} holds no system title`);
  return new Uint8Array(row.title);
}

/** Ours towards one meter, as its settings have it. */
export function clientSystemTitleFor(
  database: Database,
  { systemTitle }: Pick<MeterSettings, 'systemTitle'>,
): Uint8Array {
  return systemTitle === null ? clientSystemTitle(database) : fromHex(systemTitle);
}
