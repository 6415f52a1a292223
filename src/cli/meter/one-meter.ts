/** A conversation of a verb's own with one meter, named by a link or stored: opened, used, released. */
import { asBridgeError, fail } from '../../core/errors.ts';
import type { MeterSecrets, MeterSettings } from '../../dlms/settings.ts';
import { LineWorker } from '../../line/worker.ts';
import { type Knowledge, knowledgeOf, recallShortNames } from '../../meter/knowledge.ts';
import type { MeterSession } from '../../meter/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import { acquireMeterWork, daemonRuns } from '../../store/daemon-lock.ts';
import { openDatabase } from '../../store/database.ts';
import { loadFleet, loadLearned, loadLinks } from '../../store/fleet/load.ts';
import { DEFAULT_LINE_SETTINGS, type LineSettings } from '../../transport/line-settings.ts';
import { framingOf, type LinkAddress, parseLink, signsOn, transportOf } from '../../transport/link-address.ts';
import type { Context } from '../context.ts';
import { type MeterFlags, meterFromFlags } from '../flags/meter-flags.ts';
import { securityPorts } from './security-ports.ts';

export interface NamedMeter {
  /** As the user named it. */
  readonly name: string;
  readonly address: LinkAddress;
  readonly lineSettings: LineSettings;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  /** What is stored of it; empty for a link. */
  readonly knowledge: Knowledge;
}

/** A link with flags, or a stored meter. Throws INVALID_LINK, LINE_HELD, NOT_FOUND, DATABASE_*. */
export function namedMeter(context: Context, name: string, flags: MeterFlags): NamedMeter {
  if (name.includes('://')) {
    const address = parseLink(name);
    const plain = { lineSettings: DEFAULT_LINE_SETTINGS, knowledge: knowledgeOf(new Map()) };
    const meter = { name, address, ...plain, ...meterFromFlags(flags) };
    heedDaemon(context, address);
    return meter;
  }
  const database = openDatabase(context.databasePath, { readonly: true });
  try {
    const fleet = loadFleet(database);
    const meter = fleet.meters.find((one) => one.name === name) ?? fail('NOT_FOUND', `there is no meter "${name}"`);
    const line = fleet.lines.find(({ id }) => id === meter.lineId) ?? fail('INTERNAL', `meter "${name}" has no line`);
    const { settings, secrets } = meter;
    return {
      name,
      address: parseLink(line.link),
      lineSettings: line.settings,
      settings,
      secrets,
      knowledge: knowledgeOf(loadLearned(database, meter.id)),
    };
  } finally {
    database.close();
  }
}

type Submit = <T>(run: (session: MeterSession) => Promise<T>) => Promise<T>;

/**
 * Runs one job with a standing association, then releases it and closes the line. Throws INTERRUPTED when the user gives up,
 * DAEMON_ALREADY_RUNNING for a stored meter whose daemon runs: what that is to do is asked of it (`meter-work.ts`).
 */
export async function withMeter<T>(
  context: Pick<Context, 'databasePath' | 'log' | 'signal'>,
  meter: NamedMeter,
  action: (session: MeterSession) => Promise<T>,
): Promise<T> {
  if (meter.name.includes('://')) return onLineOf(context, meter, (submit) => submit(action));
  const lock = acquireMeterWork(context.databasePath);
  if (lock === null) {
    return fail('DAEMON_ALREADY_RUNNING', `the daemon, or another verb, has ${meter.name} at this moment`);
  }
  try {
    return await onLineOf(context, meter, (submit) => submit(action));
  } finally {
    lock.release();
  }
}

/** The same for several jobs. Throws the signal's reason when that aborts. */
export async function onLineOf<T>(
  context: Pick<Context, 'databasePath' | 'log' | 'signal'>,
  { name, address, lineSettings, settings, secrets, knowledge }: NamedMeter,
  work: (submit: Submit) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  const line = new LineWorker({
    transport: transportOf(address, systemClock, lineSettings),
    framing: framingOf(address),
    signsOn: signsOn(address),
    clock: systemClock,
    log: context.log,
  });
  line.setMeter({ id: 1, name, settings, secrets, security: securityPorts(context.databasePath, settings, secrets) });
  try {
    const interrupted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const submit: Submit = (action) => {
      const run = (session: MeterSession): ReturnType<typeof action> => {
        recallShortNames(session, knowledge);
        return action(session);
      };
      return line.submit({ meterId: 1, priority: 'command', due: 0, run });
    };
    const working = work(submit);
    return await Promise.race([working, interrupted]);
  } finally {
    // A meter that hangs must not keep an interrupted user waiting for its time-outs.
    await line.stop(signal.aborted ? 0 : undefined);
  }
}

/** A line that the daemon holds is not talked over from here: its meter would hear two clients. */
function heedDaemon({ databasePath, log }: Context, address: LinkAddress): void {
  if (!isHeldByDaemon(databasePath, address, log)) return;
  if (address.framing === 'hdlc') {
    fail('LINE_HELD', `the daemon holds ${address.text}: over HDLC one client talks at a time`);
  }
  log.warn(
    { line: address.text },
    'the daemon talks over this line too; a meter that allows one client at a time refuses one of them: name the stored meter instead of the link',
  );
}

function isHeldByDaemon(databasePath: string, address: LinkAddress, log: Context['log']): boolean {
  try {
    if (!daemonRuns(databasePath)) return false;
    const database = openDatabase(databasePath, { readonly: true });
    try {
      return loadLinks(database).some((link) => isSameLine(parseLink(link), address));
    } finally {
      database.close();
    }
  } catch (thrown) {
    // A link needs no database; one that cannot be looked into must not keep it from being used.
    log.debug({ code: asBridgeError(thrown).code }, 'no look into the database for lines that the daemon holds');
    return false;
  }
}

/** A serial port is one line whatever its baud rate. */
function isSameLine(one: LinkAddress, other: LinkAddress): boolean {
  if ('path' in one && 'path' in other) return one.path === other.path;
  return one.text === other.text;
}
