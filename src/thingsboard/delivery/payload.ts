/**
 * Outbox rows of one device -> the publishes that carry them, pure. Device mode: `[{"ts","values"}]`; gateway mode: one
 * device per publish, `{"A":[{"ts","values"}]}`. Readings of one ts share an entry; what does not fit into one packet is
 * split, and several rows share a packet where they fit. Client attributes go in messages of their own, `{key: value}`
 * or `{"A": {key: value}}`. Never an empty list: ThingsBoard would not answer it.
 */
import { asBridgeError } from '../../core/errors.ts';
import { writeJson } from '../../core/json.ts';
import type { TargetMode } from '../../store/fleet/types.ts';
import { type OutboxRow, OWN_DEVICE, type StoredReading } from '../../store/local/types.ts';
import { MAX_REMAINING_LENGTH, type Message } from '../session/message.ts';
import {
  DEVICE_ATTRIBUTES,
  DEVICE_TELEMETRY,
  GATEWAY_ATTRIBUTES,
  GATEWAY_CONNECT,
  GATEWAY_TELEMETRY,
} from '../session/topics.ts';
import { type Budget, budgetOf, EntryPacker, type Frame, ObjectPacker, type PackedMessage } from './packers.ts';
import { telemetryText } from './values.ts';

/** ThingsBoard acknowledges a longer key and fails afterwards; a blank one likewise. */
const MAX_KEY_LENGTH = 255;

/** A message with the rows of which something is in it. */
export type RowMessage = PackedMessage<OutboxRow>;

/** A reading that ThingsBoard could never store. */
export interface Unpublishable {
  readonly row: OutboxRow;
  readonly key: string;
  readonly reason: string;
}

export interface RowsPayload {
  readonly messages: readonly RowMessage[];
  readonly unpublishable: readonly Unpublishable[];
}

/** Remaining length of a packet, and no limit of values. */
const DEFAULT_PACKET: Budget = {
  soft: MAX_REMAINING_LENGTH,
  hard: MAX_REMAINING_LENGTH,
  points: Number.POSITIVE_INFINITY,
};

/**
 * The publishes of rows of one device, in their order; `packet`: remaining lengths in octets. Of two readings of one key
 * and ts the later row's stands.
 */
export function rowsPayload(
  rows: readonly OutboxRow[],
  mode: TargetMode,
  packet: Budget = DEFAULT_PACKET,
): RowsPayload {
  const device = rows[0]?.device ?? '';
  const forSubDevice = mode === 'gateway' && device !== OWN_DEVICE;
  const frame = forSubDevice ? gatewayFrame(device) : DEVICE_FRAME;
  const entries = new EntryPacker<OutboxRow>(frame, budgetOf(frame, packet));
  const unpublishable: Unpublishable[] = [];
  const put = ({ reading, rows: owners }: Owned, add: (text: string) => string | null): void => {
    const made = member(reading);
    const reason = 'reason' in made ? made.reason : add(made.text);
    if (reason === null) return;
    for (const row of owners) unpublishable.push({ row, key: reading.key, reason });
  };
  for (const [ts, readings] of byTime(rows)) {
    for (const owned of readings.values()) put(owned, (text) => entries.add(ts, text, owned.rows));
  }
  const attributes = latestAttributes(rows);
  if (attributes.size === 0) return { messages: entries.finish(), unpublishable };
  const attributeFrame = forSubDevice ? gatewayAttributes(device) : DEVICE_ATTRIBUTE_FRAME;
  const object = new ObjectPacker<OutboxRow>(attributeFrame, budgetOf(attributeFrame, packet));
  for (const owned of attributes.values()) put(owned, (text) => object.add(text, owned.rows));
  return { messages: [...entries.finish(), ...object.finish()], unpublishable };
}

/** About how many octets a row needs in a packet, entry and all. */
export function approximateOctets({ readings }: OutboxRow): number {
  return readings.reduce((sum, { key, text }) => sum + key.length + text.length + 6, 40);
}

/** A reading and the rows that are delivered with it. */
interface Owned {
  readonly reading: StoredReading;
  readonly rows: readonly OutboxRow[];
}

/** An attribute has no time in ThingsBoard: of each key the newest. */
function latestAttributes(rows: readonly OutboxRow[]): Map<string, Owned> {
  const latest = new Map<string, Owned>();
  for (const row of rows) {
    for (const reading of row.readings) {
      if (reading.kind !== 'attribute') continue;
      const known = latest.get(reading.key);
      const newest = known === undefined || known.reading.ts <= reading.ts ? reading : known.reading;
      latest.set(reading.key, { reading: newest, rows: [...(known?.rows ?? []), row] });
    }
  }
  return latest;
}

/** The announcement of a device behind the gateway, with its device profile. */
export function connectMessage(device: string, type: string): Message {
  return { topic: GATEWAY_CONNECT, payload: writeJson({ device, type }) };
}

const DEVICE_FRAME: Frame = { topic: DEVICE_TELEMETRY, open: '[', close: ']' };

function gatewayFrame(device: string): Frame {
  return { topic: GATEWAY_TELEMETRY, open: `{${JSON.stringify(device)}:[`, close: ']}' };
}

const DEVICE_ATTRIBUTE_FRAME: Frame = { topic: DEVICE_ATTRIBUTES, open: '{', close: '}' };

function gatewayAttributes(device: string): Frame {
  return { topic: GATEWAY_ATTRIBUTES, open: `{${JSON.stringify(device)}:{`, close: '}}' };
}

/** Telemetry per ts, in the order in which the times first appear, and per key. */
function byTime(rows: readonly OutboxRow[]): Map<number, Map<string, Owned>> {
  const groups = new Map<number, Map<string, Owned>>();
  for (const row of rows) {
    for (const reading of row.readings) {
      if (reading.kind === 'attribute') continue;
      const { ts, key } = reading;
      const group = groups.get(ts) ?? new Map<string, Owned>();
      groups.set(ts, group);
      const known = group.get(key);
      group.set(key, { reading, rows: known === undefined ? [row] : [...known.rows, row] });
    }
  }
  return groups;
}

/** `"key":value`, or why ThingsBoard could never store it. */
function member(reading: StoredReading): { readonly text: string } | { readonly reason: string } {
  const { key } = reading;
  if (key.trim() === '') return { reason: 'the key is blank' };
  if (key.length > MAX_KEY_LENGTH) return { reason: `the key is longer than ${MAX_KEY_LENGTH} characters` };
  try {
    return { text: `${JSON.stringify(key)}:${telemetryText(reading)}` };
  } catch (error) {
    return { reason: asBridgeError(error).message };
  }
}
