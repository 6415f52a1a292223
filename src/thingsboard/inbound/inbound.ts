/**
 * Hears what the server tells over a session: subscribes, asks for the shared attributes that are followed, reads
 * messages, and passes on what is for the daemon.
 */
import { writeJson } from '../../core/json.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { TargetMode } from '../../store/fleet/types.ts';
import { OWN_DEVICE } from '../../store/local/types.ts';
import type { ThingsBoardEvents } from '../events.ts';
import type { MqttSession } from '../session/connection.ts';
import type { Message } from '../session/message.ts';
import {
  ATTRIBUTE_REQUEST,
  ATTRIBUTE_RESPONSE,
  ATTRIBUTE_RESPONSES,
  DEVICE_ATTRIBUTES,
  GATEWAY_ATTRIBUTE_REQUEST,
  GATEWAY_ATTRIBUTE_RESPONSE,
  GATEWAY_ATTRIBUTES,
  SERVER_RPCS,
} from '../session/topics.ts';
import { type Inbound, inboundOf } from './inbound-messages.ts';

/** What only a ThingsBoard sends. */
const ANSWERS = [ATTRIBUTE_RESPONSE, GATEWAY_ATTRIBUTE_RESPONSE];
/** Messages with our own attributes that are remembered. */
const OWN_ATTRIBUTES = 1000;
const DEVICE_FILTERS = [DEVICE_ATTRIBUTES, ATTRIBUTE_RESPONSES];
const GATEWAY_FILTERS = [GATEWAY_ATTRIBUTES, GATEWAY_ATTRIBUTE_RESPONSE, SERVER_RPCS];

export interface InboundListenerOptions {
  readonly connectionId: number;
  readonly mode: TargetMode;
  readonly events: Pick<EventBus<ThingsBoardEvents>, 'emit'>;
  readonly logger: Logger;
  /** Shared attributes that are followed: of a device behind the gateway, or of `OWN_DEVICE`. */
  sharedKeys(device: string): readonly string[];
  /** Something happened to a device; told before the event. */
  onDevice(device: string): void;
}

export class InboundListener {
  private readonly options: InboundListenerOptions;
  private readonly saidOf = new Set<string>();
  /**
   * A broker that is no ThingsBoard sends our own attributes back where MQTT 3.1.1 is spoken: payloads that we sent in
   * this session, as long as nothing has shown that it is one. null: it is.
   */
  private ownAttributes: Set<string> | null = new Set();
  private nextId = 1;

  constructor(options: InboundListenerOptions) {
    this.options = options;
  }

  /** From now on, for as long as the session stands. */
  attend(session: MqttSession): void {
    const { mode, sharedKeys } = this.options;
    this.ownAttributes = new Set();
    session.onMessage((topic, payload) => {
      if (ANSWERS.some((answer) => topic.startsWith(answer))) this.ownAttributes = null;
      if (this.ownAttributes?.has(payload)) return;
      for (const inbound of inboundOf(topic, payload)) this.take(inbound);
    });
    session.subscribe(...DEVICE_FILTERS, ...(mode === 'gateway' ? GATEWAY_FILTERS : []));
    const keys = sharedKeys(OWN_DEVICE);
    if (keys.length === 0) return;
    session.request({
      topic: `${ATTRIBUTE_REQUEST}${this.takeId()}`,
      payload: writeJson({ sharedKeys: keys.join(',') }),
    });
  }

  /** A message of ours is about to be sent. */
  sending({ topic, payload }: Message): void {
    const own = this.ownAttributes;
    if (own === null || (topic !== DEVICE_ATTRIBUTES && topic !== GATEWAY_ATTRIBUTES)) return;
    const [eldest] = own;
    if (own.size >= OWN_ATTRIBUTES && eldest !== undefined) own.delete(eldest);
    own.add(payload);
  }

  /** The question for the shared attributes of a device behind the gateway; null where none are followed. */
  questionFor(device: string): Message | null {
    const keys = this.options.sharedKeys(device);
    if (keys.length === 0) return null;
    const payload = writeJson({ id: this.takeId(), device, client: false, keys });
    return { topic: GATEWAY_ATTRIBUTE_REQUEST, payload };
  }

  private takeId(): number {
    const id = this.nextId;
    this.nextId += 1;
    return id;
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
      case 'shared': {
        const { device, values, deleted } = inbound;
        events.emit('shared', { connectionId, device, values, deleted });
        return;
      }
      case 'asked':
        logger.debug({ method: inbound.method }, 'ThingsBoard asks for what is not done here');
        return;
      case 'malformed':
        this.passOver(inbound.reason);
    }
  }

  /** The same is said once: a broker that is no ThingsBoard may send it for ever. */
  private passOver(reason: string): void {
    const { logger } = this.options;
    const text = 'ThingsBoard sent what cannot be understood; it is passed over';
    if (this.saidOf.has(reason)) logger.debug({ reason }, text);
    else logger.warn({ reason }, text);
    this.saidOf.add(reason);
  }
}
