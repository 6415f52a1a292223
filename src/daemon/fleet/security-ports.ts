/** System title and invocation counters of a meter, kept by the daemon's writer. */
import { unkeptCounters } from '../../meter/counters.ts';
import type { SecurityPorts } from '../../meter/session.ts';
import type { Database } from '../../store/database.ts';
import { clientSystemTitleFor } from '../../store/fleet/system-title.ts';
import type { Fleet, Meter } from '../../store/fleet/types.ts';
import { counterKeyId, countersLeft, loadCounters } from '../../store/local/counters.ts';
import type { Writer } from '../../store/local/types.ts';

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

/**
 * Meters whose present key has at most `most` counters left, and how many, by the meter's id. Of meters that share a key
 * the one that was stored last.
 */
export function fewCountersLeft(database: Database, { meters }: Fleet, most: number): ReadonlyMap<number, number> {
  const left = new Map<number, number>();
  for (const counter of loadCounters(database, most)) {
    const meter = meters.find(({ id }) => id === counter.meterId);
    if (meter === undefined || meter.secrets.blockCipherKey === null) continue;
    const present = counterKeyId(
      database,
      meter.secrets.blockCipherKey,
      clientSystemTitleFor(database, meter.settings),
    );
    if (Buffer.compare(present, counter.keyId) === 0) left.set(meter.id, countersLeft(counter));
  }
  return left;
}
