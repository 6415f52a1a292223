/** The daemon as a service: what systemd is told, the watchdog, and reloading on SIGHUP. */
import { asBridgeError } from '../core/errors.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { type LogLevels, readLevels } from '../runtime/log-levels.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ServiceManager } from '../runtime/service-manager.ts';
import { percent } from './views/figures.ts';

export interface ServiceOptions {
  readonly daemon: Daemon;
  readonly manager: ServiceManager;
  readonly clock: Clock;
  readonly log: Logger;
  readonly levels: LogLevels;
  /** Where levels are read from at start and at SIGHUP; null for nowhere. */
  readonly levelsFile: string | null;
}

export interface Service {
  /** Tells that the end has begun; the watchdog is fed until `end`, since draining takes time. */
  stopping(): void;
  end(): Promise<void>;
}

/** How often the status line is renewed, and how often within the watchdog's time it is fed. */
const STATUS_EVERY_MS = 10_000;
const FEEDS_PER_WATCHDOG = 4;

/** Says that the daemon is ready, and goes on telling how it is. */
export function startService(options: ServiceOptions): Service {
  const { manager, daemon, clock, log } = options;
  const over = new AbortController();
  let draining = false;
  let ailing = false;
  const feed = (): void => {
    const ailments = draining ? [] : ailmentsOf(daemon, log);
    if (ailments.length === 0) manager.watchdog();
    else if (!ailing) log.error({ ailments }, `the watchdog is not fed any more: ${ailments.join('; ')}`);
    ailing = ailments.length > 0;
  };
  const onReload = (): void => void reload(options);
  const tell = (): void => {
    if (!draining) manager.status(statusLine(daemon, log));
  };
  process.on('SIGHUP', onReload);
  tell();
  manager.ready();
  const loops = [every(clock, STATUS_EVERY_MS, over.signal, tell)];
  if (manager.watchdogMs !== null) {
    feed();
    loops.push(every(clock, manager.watchdogMs / FEEDS_PER_WATCHDOG, over.signal, feed));
  }
  return {
    stopping() {
      draining = true;
      manager.stopping();
      manager.status('delivering what is left');
    },
    async end() {
      over.abort();
      process.off('SIGHUP', onReload);
      await Promise.all(loops);
      manager.close();
    },
  };
}

/** A file that cannot be understood changes nothing: the levels stay. */
export function applyLevels({ levels, levelsFile, log }: Pick<ServiceOptions, 'levels' | 'levelsFile' | 'log'>): void {
  if (levelsFile === null) return;
  try {
    levels.change(readLevels(levelsFile));
  } catch (thrown) {
    const { code, message, hint } = asBridgeError(thrown);
    log.error({ code, hint }, `log levels stay as they are: ${message}`);
  }
}

async function reload(options: ServiceOptions): Promise<void> {
  const { manager, daemon, log } = options;
  manager.reloading();
  applyLevels(options);
  try {
    await daemon.reload();
    log.info({}, 'reloaded');
  } catch (thrown) {
    const { code, message, hint } = asBridgeError(thrown);
    log.error({ code, hint }, `reload failed, what was configured goes on: ${message}`);
  }
  manager.ready();
}

function statusLine(daemon: Daemon, log: Logger): string {
  const { cycles, messages, publishRate } = daemon.figures();
  const waiting = attempted(() => String(daemon.outboxDepth().rows), '?', log);
  return `Cycles: ${cycles} | MQTT: ${messages} msgs (${percent(publishRate)}) | waiting ${waiting}`;
}

function ailmentsOf(daemon: Daemon, log: Logger): readonly string[] {
  return attempted(() => daemon.ailments(), [], log);
}

/** A database that cannot be read for now is no reason for a new process: it would find the same. */
function attempted<T>(look: () => T, otherwise: T, log: Logger): T {
  try {
    return look();
  } catch (thrown) {
    const { code, message } = asBridgeError(thrown);
    log.debug({ code }, `cannot look: ${message}`);
    return otherwise;
  }
}

async function every(clock: Clock, ms: number, signal: AbortSignal, action: () => void): Promise<void> {
  while (!signal.aborted) {
    // The end of the service ends the wait early, which is no failure.
    await sleep(clock, ms, signal).catch(() => undefined);
    if (!signal.aborted) action();
  }
}
