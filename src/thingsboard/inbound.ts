/** Hears what the server tells over a session: subscribes, reads messages, and passes on what is for the daemon. */
import type { EventBus } from '../runtime/events.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TargetMode } from '../store/fleet/types.ts';
import type { MqttSession } from './connection.ts';
import type { ThingsBoardEvents } from './events.ts';
import { type Inbound, inboundOf } from './inbound-messages.ts';
import { SERVER_RPCS } from './topics.ts';

export interface InboundListenerOptions {
  readonly connectionId: number;
  readonly mode: TargetMode;
  readonly events: Pick<EventBus<ThingsBoardEvents>, 'emit'>;
  readonly logger: Logger;
  /** Something happened to a device; told before the event. */
  onDevice(device: string): void;
}

export class InboundListener {
  private readonly options: InboundListenerOptions;

  constructor(options: InboundListenerOptions) {
    this.options = options;
  }

  /** From now on, for as long as the session stands. */
  attend(session: MqttSession): void {
    if (this.options.mode !== 'gateway') return;
    session.onMessage((topic, payload) => {
      for (const inbound of inboundOf(topic, payload)) this.take(inbound);
    });
    session.subscribe(SERVER_RPCS);
  }

  private take(inbound: Inbound): void {
    const { connectionId, events, logger, onDevice } = this.options;
    switch (inbound.kind) {
      case 'renamed': {
        const { from, to } = inbound;
        onDevice(from);
        events.emit('renamed', { connectionId, from, to });
        return;
      }
      case 'deleted': {
        const { device } = inbound;
        onDevice(device);
        events.emit('deleted', { connectionId, device });
        return;
      }
      case 'asked':
        logger.debug({ method: inbound.method }, 'ThingsBoard asks for what is not done here');
        return;
      case 'malformed':
        logger.warn({ reason: inbound.reason }, 'ThingsBoard sent what cannot be understood; it is passed over');
    }
  }
}
