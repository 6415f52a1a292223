/** A verb's own conversation with one meter, named by a link or stored: opened, used once, released. */
import { fail } from '../core/errors.ts';
import type { MeterSecrets, MeterSettings } from '../dlms/settings.ts';
import { LineWorker } from '../line/worker.ts';
import { type Knowledge, knowledgeOf, recallShortNames } from '../meter/knowledge.ts';
import type { MeterSession } from '../meter/session.ts';
import { systemClock } from '../runtime/clock.ts';
import { openDatabase } from '../store/database.ts';
import { loadFleet, loadLearned } from '../store/fleet/load.ts';
import { framingOf, type LinkAddress, parseLink, signsOn, transportOf } from '../transport/link-address.ts';
import type { Context } from './context.ts';
import { type MeterFlags, meterFromFlags } from './meter-flags.ts';
import { securityPorts } from './security-ports.ts';

export interface NamedMeter {
  /** As the user named it. */
  readonly name: string;
  readonly address: LinkAddress;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  /** What is stored of it; empty for a link. */
  readonly knowledge: Knowledge;
}

/** A link with flags, or a stored meter. Throws INVALID_LINK, NOT_FOUND, DATABASE_*. */
export function namedMeter(context: Context, name: string, flags: MeterFlags): NamedMeter {
  if (name.includes('://')) {
    return { name, address: parseLink(name), ...meterFromFlags(flags), knowledge: knowledgeOf(new Map()) };
  }
  const database = openDatabase(context.databasePath, { readonly: true });
  try {
    const fleet = loadFleet(database);
    const meter = fleet.meters.find((one) => one.name === name) ?? fail('NOT_FOUND', `there is no meter "${name}"`);
    const link =
      fleet.lines.find(({ id }) => id === meter.lineId)?.link ?? fail('INTERNAL', `meter "${name}" has no line`);
    const { settings, secrets } = meter;
    return {
      name,
      address: parseLink(link),
      settings,
      secrets,
      knowledge: knowledgeOf(loadLearned(database, meter.id)),
    };
  } finally {
    database.close();
  }
}

/** Runs with a standing association, then releases it and closes the line. Throws INTERRUPTED when the user gives up. */
export async function withMeter<T>(
  context: Context,
  { name, address, settings, secrets, knowledge }: NamedMeter,
  action: (session: MeterSession) => Promise<T>,
): Promise<T> {
  const line = new LineWorker({
    transport: transportOf(address, systemClock),
    framing: framingOf(address),
    signsOn: signsOn(address),
    clock: systemClock,
    log: context.log,
  });
  line.setMeter({ id: 1, name, settings, secrets, security: securityPorts(context.databasePath, settings, secrets) });
  try {
    const interrupted = new Promise<never>((_, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true });
    });
    const run = (session: MeterSession): Promise<T> => {
      recallShortNames(session, knowledge);
      return action(session);
    };
    return await Promise.race([line.submit({ meterId: 1, priority: 'command', due: 0, run }), interrupted]);
  } finally {
    // A meter that hangs must not keep an interrupted user waiting for its time-outs.
    await line.stop(context.signal.aborted ? 0 : undefined);
  }
}
