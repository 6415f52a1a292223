/** What passes between ThingsBoard and the fleet besides readings: names of devices, settings, and what devices are. */
import { hostname } from 'node:os';
import type { PollingEvents } from '../../polling/events.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Logger } from '../../runtime/logger.ts';
import { programVersion } from '../../runtime/version.ts';
import type { Database } from '../../store/database.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import type { Writer } from '../../store/local/types.ts';
import type { ThingsBoardEvents } from '../../thingsboard/events.ts';
import type { PublisherSet } from '../publisher-set.ts';
import { AttributeTeller, type AttributeTellerDependencies } from './attribute-teller.ts';
import { DeviceNotices } from './device-notices.ts';
import { SharedSettings } from './shared-settings.ts';

export interface ThingsBoardDeskDependencies
  extends Pick<AttributeTellerDependencies, 'statusOf' | 'firmwareOf' | 'restartRequired'> {
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly thingsboard: EventBus<ThingsBoardEvents>;
  readonly polling: EventBus<PollingEvents>;
  readonly publishers: Pick<PublisherSet, 'notify' | 'settled'>;
  readonly signal: AbortSignal;
  /** The fleet may have changed. Never rejects. */
  changed(): Promise<void>;
}

export class ThingsBoardDesk {
  private readonly notices: DeviceNotices;
  private readonly shared: SharedSettings;
  private readonly attributes: AttributeTeller;

  /** Throws DATABASE_*. */
  constructor(deps: ThingsBoardDeskDependencies) {
    const { publishers } = deps;
    const settled = (connectionId: number, device: string): void => publishers.settled(connectionId, device);
    this.notices = new DeviceNotices({ ...deps, settled });
    this.shared = new SharedSettings({ ...deps, answered: (ids) => this.attributes.answer(ids) });
    this.attributes = new AttributeTeller({
      ...deps,
      about: { version: programVersion(), hostname: hostname() },
      answersOf: (id) => this.shared.answers(id),
      stored: (connectionIds) => publishers.notify(connectionIds),
    });
    deps.polling.on('identified', ({ meterId }) => this.attributes.answer([meterId]));
  }

  /** The configuration changed; before publishers hear of it. */
  apply(fleet: Fleet): void {
    this.shared.apply(fleet);
    this.attributes.apply(fleet);
  }

  /** Shared attributes that are followed of a device. */
  sharedKeys(connectionId: number, device: string): readonly string[] {
    return this.shared.sharedKeys(connectionId, device);
  }

  /** Tells what devices are. Never rejects. */
  look(): Promise<void> {
    return this.attributes.look();
  }

  /** Resolves when everything told so far is stored, or could not be before the signal aborted. */
  async stored(): Promise<void> {
    await Promise.all([this.notices.stored(), this.shared.stored()]);
  }
}
