/**
 * What ThingsBoard tells of the devices behind a gateway, stored as changes of the fleet: a renamed meter has its new
 * name everywhere, a deleted one is suspended. One after the other, and each until it is stored: ThingsBoard tells it once.
 */
import { asBridgeError, type BridgeError } from '../../core/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Logger } from '../../runtime/logger.ts';
import { retrying, STORE_RETRY } from '../../runtime/retry.ts';
import type { Writer } from '../../store/local/types.ts';
import type { ThingsBoardEvents } from '../../thingsboard/events.ts';

export interface DeviceNoticesDependencies {
  readonly thingsboard: EventBus<ThingsBoardEvents>;
  readonly writer: Pick<Writer, 'renameMeter' | 'suspendDeleted'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The fleet may have changed. Never rejects. */
  changed(): Promise<void>;
  /** Whatever came of it: the device's rows may go on. */
  settled(connectionId: number, device: string): void;
}

export class DeviceNotices {
  private readonly deps: DeviceNoticesDependencies;
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(deps: DeviceNoticesDependencies) {
    this.deps = deps;
    deps.thingsboard.on('renamed', ({ connectionId, from, to }) =>
      this.queue(connectionId, from, () => this.renamed(from, to)),
    );
    deps.thingsboard.on('deleted', ({ connectionId, device }) =>
      this.queue(connectionId, device, () => this.deleted(connectionId, device)),
    );
  }

  /** Resolves when everything told so far is stored, or could not be before the signal aborted. */
  async stored(): Promise<void> {
    await this.last;
  }

  private queue(connectionId: number, device: string, action: () => Promise<void>): void {
    const { clock, log, signal, changed, settled } = this.deps;
    this.waiting += 1;
    const onFailure = ({ code, message }: BridgeError): void =>
      log.error({ code, device }, `what ThingsBoard told of ${device} cannot be stored yet: ${message}`);
    this.last = this.last
      .then(() => retrying(action, { policy: STORE_RETRY, clock, signal, onFailure }))
      .catch((thrown: unknown) => {
        const { code, message, hint } = asBridgeError(thrown);
        log.warn(
          { code, device, hint },
          `ThingsBoard renamed or deleted ${device}, and nothing was changed: ${message}`,
        );
      })
      .then(async () => {
        this.waiting -= 1;
        settled(connectionId, device);
        // Many may come at once, and each time the whole fleet is read.
        if (this.waiting === 0) await changed();
      });
  }

  private async renamed(from: string, to: string): Promise<void> {
    const { writer, log } = this.deps;
    await writer.renameMeter(from, to);
    log.info({ meter: to, before: from }, `the meter ${from} is called ${to} now, as its device in ThingsBoard`);
  }

  private async deleted(connectionId: number, device: string): Promise<void> {
    const { writer, log } = this.deps;
    const rows = await writer.suspendDeleted(device, connectionId);
    const hint = `\`dlms meter resume ${device}\` makes the device anew, \`dlms meter remove ${device}\` ends it`;
    log.warn({ meter: device, rows, hint }, `ThingsBoard deleted the device ${device}: the meter is suspended`);
  }
}
