/** Alerts in the daemon: looks at its figures every little while, hears of conflicts at once, and tells the outside. */
import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { rulesWithin } from '../../alert/limits.ts';
import { ALERT_RULES, type AlertCode } from '../../alert/rules.ts';
import { asBridgeError } from '../../core/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { HostTime } from '../../runtime/host-time.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Database } from '../../store/database.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { awaitsNote, loadAlerts } from '../../store/local/alerts.ts';
import type { Writer } from '../../store/local/types.ts';
import { rivalsAt } from '../../thingsboard/conduct/rival.ts';
import type { ThingsBoardEvents } from '../../thingsboard/events.ts';
import { fewCountersLeft } from '../fleet/security-ports.ts';
import { AlertDesk, type AlertNotice } from './alert-desk.ts';
import { conflictDetail, connectionNames, type Figures, forgetGone, observations } from './alert-watch.ts';
import { AlertWebhook } from './alert-webhook.ts';

export interface AlertCentreDependencies {
  readonly database: Database;
  readonly writer: Pick<Writer, 'changeAlert'>;
  readonly clock: Clock;
  readonly hostTime: HostTime;
  readonly log: Logger;
  readonly thingsboard: EventBus<ThingsBoardEvents>;
  /** What is known now; the rest is found out here. */
  figures(): Omit<Figures, 'fleet' | 'freeDisk' | 'now' | 'countersLeft' | 'hostClockDoubt'>;
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal;
  onNotice(notice: AlertNotice): void;
}

/** How often a rival is looked for after a conflict became known: it comes and goes. */
const RIVAL_LOOKS = 20;
const RIVAL_LOOK_EVERY_MS = 500;

export class AlertCentre {
  private readonly deps: AlertCentreDependencies;
  private readonly desk: AlertDesk;
  private readonly webhook: AlertWebhook;
  private fleet: Fleet;

  /** Throws DATABASE_*. */
  constructor(deps: AlertCentreDependencies) {
    const { database, writer, clock, hostTime, log, thingsboard, onNotice } = deps;
    this.deps = deps;
    this.fleet = loadFleet(database);
    this.webhook = new AlertWebhook({ clock, log, bridge: hostname() });
    const tell = (notice: AlertNotice): void => {
      onNotice(notice);
      this.webhook.tell(notice);
    };
    this.desk = new AlertDesk({ writer, clock, hostTime, log, earlier: loadAlerts(database), onNotice: tell });
    thingsboard.on('conflict', ({ connectionId, clientId, error }) => {
      const subject = this.nameOf(connectionId);
      const detail = (): string => conflictDetail(clientId, error.message);
      this.desk.observe({ code: 'TOKEN_CONFLICT', subject, value: true, detail });
      void this.lookForRival(connectionId, subject);
    });
    thingsboard.on('conflict-over', ({ connectionId }) => {
      const subject = this.nameOf(connectionId);
      this.desk.observe({ code: 'TOKEN_CONFLICT', subject, value: false, detail: () => '' });
    });
  }

  /** The configuration changed. */
  apply(fleet: Fleet): void {
    const names = new Map(this.fleet.meters.map(({ id, name }) => [id, name]));
    this.fleet = fleet;
    this.desk.judgeBy(rulesWithin(fleet.settings));
    this.webhook.pointTo(fleet.settings.alertWebhook);
    for (const { id, name } of fleet.meters) {
      const before = names.get(id) ?? name;
      if (before !== name) this.desk.rename(before, name);
    }
    forgetGone(this.desk, fleet);
  }

  /** Tells of something that happened; the alert stays until somebody takes note of it. */
  announce(code: 'DATABASE_REPAIRED', detail: string): void {
    this.desk.announce(code, 'daemon', detail);
  }

  async look(): Promise<void> {
    const { database, hostTime, figures } = this.deps;
    // A doubt is short: it must not pass while a slow disk is asked.
    const hostClockDoubt = hostTime.why();
    const freeDisk = await freeOctets(database.path);
    const found = {
      fleet: this.fleet,
      freeDisk,
      hostClockDoubt,
      now: hostTime.now(),
      countersLeft: fewCountersLeft(database, this.fleet, ALERT_RULES.KEY_COUNTER_NEAR_END.limit.clear),
    };
    for (const observation of observations({ ...figures(), ...found })) this.desk.observe(observation);
    const value = awaitsNote(database, 'DATABASE_REPAIRED');
    this.desk.observe({ code: 'DATABASE_REPAIRED', subject: 'daemon', value, detail: () => '' });
  }

  private nameOf(connectionId: number): string {
    return connectionNames(this.fleet).get(connectionId) ?? `connection ${connectionId}`;
  }

  activeByCode(): ReadonlyMap<AlertCode, number> {
    return this.desk.activeByCode();
  }

  /** Resolves when everything told so far is written; what the webhook did not take is lost to it. */
  async stop(): Promise<void> {
    await this.webhook.stop();
    await this.desk.written();
  }

  private async lookForRival(connectionId: number, subject: string): Promise<void> {
    const { clock, signal, log } = this.deps;
    const targetId = this.fleet.connections.find(({ id }) => id === connectionId)?.targetId;
    const url = this.fleet.targets.find(({ id }) => id === targetId)?.url;
    if (url === undefined) return;
    try {
      for (let look = 0; look < RIVAL_LOOKS; look += 1) {
        const [rival] = await rivalsAt(url);
        if (rival !== undefined) {
          this.desk.nameRival(subject, rival);
          return;
        }
        await sleep(clock, RIVAL_LOOK_EVERY_MS, signal);
      }
      log.info({ code: 'TOKEN_CONFLICT', subject }, 'the rival does not run on this host, as far as can be seen');
    } catch (thrown) {
      log.debug({ code: asBridgeError(thrown).code }, 'the rival was not looked for to the end');
    }
  }
}

async function freeOctets(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(dirname(path));
    return bavail * bsize;
  } catch {
    // Some file systems do not tell; then nothing is said of them.
    return null;
  }
}
