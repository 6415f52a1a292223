/** System title and invocation counters for a verb that talks to a meter by itself. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { concat } from '../../core/bytes.ts';
import type { MeterSecrets, MeterSettings } from '../../dlms/settings.ts';
import { unkeptCounters } from '../../meter/counters.ts';
import type { SecurityPorts } from '../../meter/session.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { clientSystemTitleFor } from '../../store/fleet/system-title.ts';
import { counterKeyId, raiseCounter, reserveCounters } from '../../store/local/counters.ts';

/**
 * With a database its counters, which a daemon on it shares. Without one a system title of this moment, so that no
 * counter of it was ever used, and counters asked of the meter.
 */
export function securityPorts(databasePath: string, settings: MeterSettings, secrets: MeterSecrets): SecurityPorts {
  const { blockCipherKey } = secrets;
  if (blockCipherKey === null || !existsSync(databasePath)) {
    const systemTitle = concat([Buffer.from('DMM'), randomBytes(5)]);
    return { systemTitle, counters: unkeptCounters(), countersUnknown: settings.systemTitle !== null };
  }
  const { systemTitle, keyId } = withDatabase(databasePath, (database) => {
    const title = clientSystemTitleFor(database, settings);
    return { systemTitle: title, keyId: counterKeyId(database, blockCipherKey, title) };
  });
  return {
    systemTitle,
    counters: {
      reserve: async (count) => withDatabase(databasePath, (database) => reserveCounters(database, keyId, count)),
      raise: async (atLeast) => withDatabase(databasePath, (database) => raiseCounter(database, keyId, atLeast)),
    },
  };
}

function withDatabase<T>(path: string, action: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return action(database);
  } finally {
    database.close();
  }
}
