/** System title and invocation counters of a meter, kept by the daemon's writer. */
import { unkeptCounters } from '../meter/counters.ts';
import type { SecurityPorts } from '../meter/session.ts';
import type { Database } from '../store/database.ts';
import { clientSystemTitleFor } from '../store/fleet/system-title.ts';
import type { Meter } from '../store/fleet/types.ts';
import { counterKeyId } from '../store/local/counters.ts';
import type { Writer } from '../store/local/types.ts';

export function securityPortsOf({ settings, secrets }: Meter, database: Database, writer: Writer): SecurityPorts {
  const systemTitle = clientSystemTitleFor(database, settings);
  // A meter without a key uses no counters.
  if (secrets.blockCipherKey === null) return { systemTitle, counters: unkeptCounters() };
  const keyId = counterKeyId(database, secrets.blockCipherKey, systemTitle);
  return {
    systemTitle,
    counters: {
      reserve: (count) => writer.reserveCounters(keyId, count),
      raise: (atLeast) => writer.raiseCounter(keyId, atLeast),
    },
  };
}
