/** Asks who has called: as the public client, for the logical device name. */
import { asBridgeError } from '../core/errors.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings, NO_SECRETS } from '../dlms/settings.ts';
import { unkeptCounters } from '../meter/counters.ts';
import { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import type { Transport } from '../transport/transport.ts';
import { LinePort } from './port.ts';

/** How callers are addressed; a line has meters of a few kinds. */
export type CallerAddress = Pick<MeterSettings, 'server' | 'physical' | 'addressSize' | 'referencing' | 'timeoutMs'>;

const LOGICAL_DEVICE_NAME = { classId: 1, instanceId: '0.0.42.0.0.255', attributeId: 2 } as const;
const MOST_ADDRESSES = 3;

/** The different ways in which these meters are addressed, the most frequent first. */
export function callerAddresses(meters: Iterable<{ readonly settings: MeterSettings }>): readonly CallerAddress[] {
  const ways = new Map<string, { readonly address: CallerAddress; count: number }>();
  for (const { settings } of meters) {
    const { server, physical, addressSize, referencing, timeoutMs } = settings;
    const key = JSON.stringify([server, physical, addressSize, referencing]);
    const known = ways.get(key) ?? { address: { server, physical, addressSize, referencing, timeoutMs }, count: 0 };
    known.count += 1;
    ways.set(key, known);
  }
  return [...ways.values()]
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST_ADDRESSES)
    .map(({ address }) => address);
}

/** The name, or null when the caller does not tell it. Never throws. */
export async function askName(
  transport: Transport,
  addresses: readonly CallerAddress[],
  { framing, clock, log }: { readonly framing: Framing; readonly clock: Clock; readonly log: Logger },
): Promise<string | null> {
  const wire = new LinePort(transport, () => undefined);
  try {
    await wire.ensureOpen({ switchWaitMs: 0, switchBaud: false });
    for (const address of addresses) {
      const name = await nameAt(wire, { ...DEFAULT_METER_SETTINGS, ...address }, framing, clock, log);
      if (name !== null) return name;
      if (!wire.isOpen) return null;
    }
    return null;
  } catch (thrown) {
    log.debug({ code: asBridgeError(thrown).code }, 'a caller was gone before it was asked for its name');
    return null;
  } finally {
    await wire.close();
  }
}

async function nameAt(
  wire: LinePort,
  settings: MeterSettings,
  framing: Framing,
  clock: Clock,
  log: Logger,
): Promise<string | null> {
  const security = { systemTitle: new Uint8Array(8), counters: unkeptCounters() };
  const session = new MeterSession({ settings, secrets: NO_SECRETS, security, framing, wire, clock, log });
  try {
    await session.ensureAssociated();
    const [result] = await session.get([LOGICAL_DEVICE_NAME]);
    await session.release();
    if (result === undefined || !('data' in result)) return null;
    const { data } = result;
    if (data.type === 'octet-string') return String.fromCharCode(...data.value).trim();
    return data.type === 'visible-string' ? data.value.trim() : null;
  } catch (thrown) {
    session.forget();
    log.debug({ code: asBridgeError(thrown).code }, 'a caller did not tell its name');
    return null;
  }
}
