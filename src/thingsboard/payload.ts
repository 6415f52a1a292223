/**
 * One outbox row -> the publishes that carry it, pure. Device mode: `[{"ts","values"}]`; gateway mode: one device per
 * publish, `{"A":[{"ts","values"}]}`. Readings of one ts share an entry; what does not fit into one packet is split.
 * Client attributes of the row go in messages of their own, `{key: value}` or `{"A": {key: value}}`.
 * Never an empty list: ThingsBoard would not answer it.
 */
import { asBridgeError } from '../core/errors.ts';
import { writeJson } from '../core/json.ts';
import type { TargetMode } from '../store/fleet/types.ts';
import { type OutboxRow, OWN_DEVICE, type StoredReading } from '../store/local/types.ts';
import {
  DEVICE_ATTRIBUTES,
  DEVICE_TELEMETRY,
  GATEWAY_ATTRIBUTES,
  GATEWAY_CONNECT,
  GATEWAY_TELEMETRY,
} from './topics.ts';
import { telemetryValue } from './values.ts';

/** ThingsBoard closes on a packet whose remaining length (topic, identifier, properties, payload) is above this. */
export const MAX_REMAINING_LENGTH = 65_536;
/** ThingsBoard acknowledges a longer key and fails afterwards; a blank one likewise. */
const MAX_KEY_LENGTH = 255;

export interface Message {
  readonly topic: string;
  readonly payload: string;
}

/** A reading that ThingsBoard could never store. */
export interface Unpublishable {
  readonly key: string;
  readonly reason: string;
}

export interface RowPayload {
  readonly messages: readonly Message[];
  readonly unpublishable: readonly Unpublishable[];
}

/** The publishes of a row, none of them above `maxRemainingLength` octets. */
export function rowPayload(
  row: OutboxRow,
  mode: TargetMode,
  maxRemainingLength: number = MAX_REMAINING_LENGTH,
): RowPayload {
  const forSubDevice = mode === 'gateway' && row.device !== OWN_DEVICE;
  const frame = forSubDevice ? gatewayFrame(row.device) : DEVICE_FRAME;
  const packer = new Packer(frame, budgetOf(frame, maxRemainingLength));
  const unpublishable: Unpublishable[] = [];
  const put = (reading: StoredReading, add: (text: string) => string | null): void => {
    const made = member(reading);
    const reason = 'reason' in made ? made.reason : add(made.text);
    if (reason !== null) unpublishable.push({ key: reading.key, reason });
  };
  for (const [ts, readings] of byTime(row.readings.filter(({ kind }) => kind !== 'attribute'))) {
    for (const reading of readings) put(reading, (text) => packer.add(ts, text));
  }
  const attributes = latestAttributes(row.readings);
  if (attributes.length === 0) return { messages: packer.finish(), unpublishable };
  const attributeFrame = forSubDevice ? gatewayAttributes(row.device) : DEVICE_ATTRIBUTE_FRAME;
  const object = new ObjectPacker(attributeFrame, budgetOf(attributeFrame, maxRemainingLength));
  for (const reading of attributes) put(reading, (text) => object.add(text));
  return { messages: [...packer.finish(), ...object.finish()], unpublishable };
}

/** An attribute has no time in ThingsBoard: of each key the newest. */
function latestAttributes(readings: readonly StoredReading[]): StoredReading[] {
  const latest = new Map<string, StoredReading>();
  for (const reading of readings) {
    const known = latest.get(reading.key);
    if (reading.kind === 'attribute' && (known === undefined || known.ts <= reading.ts))
      latest.set(reading.key, reading);
  }
  return [...latest.values()];
}

/** Octets that are left for what stands in the frame. */
function budgetOf({ topic, open, close }: Frame, maxRemainingLength: number): number {
  return maxRemainingLength - packetOverhead(topic) - octets(open) - octets(close);
}

/** The announcement of a device behind the gateway, with its device profile. */
export function connectMessage(device: string, type: string): Message {
  return { topic: GATEWAY_CONNECT, payload: writeJson({ device, type }) };
}

interface Frame {
  readonly topic: string;
  readonly open: string;
  readonly close: string;
}

const DEVICE_FRAME: Frame = { topic: DEVICE_TELEMETRY, open: '[', close: ']' };

function gatewayFrame(device: string): Frame {
  return { topic: GATEWAY_TELEMETRY, open: `{${JSON.stringify(device)}:[`, close: ']}' };
}

const DEVICE_ATTRIBUTE_FRAME: Frame = { topic: DEVICE_ATTRIBUTES, open: '{', close: '}' };

function gatewayAttributes(device: string): Frame {
  return { topic: GATEWAY_ATTRIBUTES, open: `{${JSON.stringify(device)}:{`, close: '}}' };
}

/** Topic with its length, packet identifier, and the empty properties of MQTT 5. */
function packetOverhead(topic: string): number {
  return 2 + octets(topic) + 2 + 1;
}

function octets(text: string): number {
  return Buffer.byteLength(text);
}

/** Readings per ts, in the order in which the times first appear. */
function byTime(readings: readonly StoredReading[]): Map<number, StoredReading[]> {
  const groups = new Map<number, StoredReading[]>();
  for (const reading of readings) {
    const group = groups.get(reading.ts);
    if (group === undefined) groups.set(reading.ts, [reading]);
    else group.push(reading);
  }
  return groups;
}

/** `"key":value`, or why ThingsBoard could never store it. */
function member(reading: StoredReading): { readonly text: string } | { readonly reason: string } {
  const { key } = reading;
  if (key.trim() === '') return { reason: 'the key is blank' };
  if (key.length > MAX_KEY_LENGTH) return { reason: `the key is longer than ${MAX_KEY_LENGTH} characters` };
  try {
    return { text: `${JSON.stringify(key)}:${writeJson(telemetryValue(reading))}` };
  } catch (error) {
    return { reason: asBridgeError(error).message };
  }
}

const ENTRY_END = '}}';

/** Fills messages up to the budget, entry by entry. */
class Packer {
  private readonly frame: Frame;
  private readonly budget: number;
  private readonly messages: Message[] = [];
  private text = '';
  private size = 0;
  /** The ts of the entry that is open, so that another member may be added to it. */
  private open: number | null = null;

  constructor(frame: Frame, budget: number) {
    this.frame = frame;
    this.budget = budget;
  }

  /** Adds `"key":value`; null, or why it can never be published. */
  add(ts: number, text: string): string | null {
    const head = `{"ts":${ts},"values":{`;
    const alone = octets(head) + octets(text) + ENTRY_END.length;
    if (alone > this.budget) return 'the value is larger than a packet may be';
    const continued = this.open === ts;
    const added = continued ? `,${text}` : `${this.open === null ? '' : `${ENTRY_END},`}${head}${text}`;
    if (this.size + octets(added) + ENTRY_END.length > this.budget) {
      this.close();
      return this.add(ts, text);
    }
    this.text += added;
    this.size += octets(added);
    this.open = ts;
    return null;
  }

  private close(): void {
    if (this.open === null) return;
    const { topic, open, close } = this.frame;
    this.messages.push({ topic, payload: `${open}${this.text}${ENTRY_END}${close}` });
    this.text = '';
    this.size = 0;
    this.open = null;
  }

  finish(): readonly Message[] {
    this.close();
    return this.messages;
  }
}

/** Fills messages with members of one object, up to the budget. */
class ObjectPacker {
  private readonly frame: Frame;
  private readonly budget: number;
  private readonly messages: Message[] = [];
  private members: string[] = [];
  private size = 0;

  constructor(frame: Frame, budget: number) {
    this.frame = frame;
    this.budget = budget;
  }

  /** Adds `"key":value`; null, or why it can never be published. */
  add(text: string): string | null {
    const added = octets(text) + 1;
    if (added > this.budget) return 'the value is larger than a packet may be';
    if (this.size + added > this.budget) this.close();
    this.members.push(text);
    this.size += added;
    return null;
  }

  private close(): void {
    if (this.members.length === 0) return;
    const { topic, open, close } = this.frame;
    this.messages.push({ topic, payload: `${open}${this.members.join(',')}${close}` });
    this.members = [];
    this.size = 0;
  }

  finish(): readonly Message[] {
    this.close();
    return this.messages;
  }
}
