/**
 * What the double's database holds: per device, key and ts one value, overwritten when the same ts comes again
 * (ON CONFLICT (entity, key, ts) DO UPDATE), and how often it came.
 */
import type { JsonValue } from '../../core/json.ts';
import type { Entry, StoredValue } from './values.ts';

export interface StoredPoint {
  readonly ts: number;
  readonly value: StoredValue;
  /** Deliveries of this (device, key, ts); 1 when nothing was sent twice. */
  readonly deliveries: number;
}

export interface ReceivedDevice {
  readonly name: string;
  /** Device profile name, `default` when nothing named one. */
  readonly type: string;
  /** Through whom it came: the device itself or a gateway's name. */
  readonly gateway: string | null;
  /** Points per key, oldest first. */
  readonly telemetry: ReadonlyMap<string, readonly StoredPoint[]>;
  readonly attributes: ReadonlyMap<string, StoredValue>;
}

export interface Received {
  readonly devices: ReadonlyMap<string, ReceivedDevice>;
  /** Publishes that were accepted. */
  readonly messages: number;
  /** Distinct (device, key, ts). */
  readonly readings: number;
  /** Deliveries beyond the first of a (device, key, ts). */
  readonly duplicates: number;
  /** Duplicates that brought another value than the one stored. */
  readonly changed: number;
  /** Telemetry messages that failed after their PUBACK (blank or too long key). */
  readonly failedLater: number;
}

interface Point {
  ts: number;
  value: StoredValue;
  deliveries: number;
}

interface Device {
  readonly name: string;
  readonly type: string;
  readonly gateway: string | null;
  readonly telemetry: Map<string, Map<number, Point>>;
  readonly attributes: Map<string, StoredValue>;
  /** Set at the server, for the device to follow. */
  readonly shared: Map<string, JsonValue>;
}

export class ReceivedStore {
  private readonly devices = new Map<string, Device>();
  private readings = 0;
  private duplicates = 0;
  private changed = 0;
  messages = 0;
  failedLater = 0;

  has(device: string): boolean {
    return this.devices.has(device);
  }

  /** Creates the device unless it exists; an existing one keeps its type. */
  create(name: string, type: string, gateway: string | null): void {
    if (this.devices.has(name)) return;
    this.devices.set(name, { name, type, gateway, telemetry: new Map(), attributes: new Map(), shared: new Map() });
  }

  saveTelemetry(device: string, entries: readonly Entry[]): void {
    const telemetry = this.devices.get(device)?.telemetry;
    if (telemetry === undefined) return;
    for (const { ts, values } of entries) {
      for (const [key, value] of values) this.save(telemetry, key, ts, value);
    }
  }

  private save(telemetry: Map<string, Map<number, Point>>, key: string, ts: number, value: StoredValue): void {
    const points = telemetry.get(key) ?? new Map<number, Point>();
    telemetry.set(key, points);
    const stored = points.get(ts);
    if (stored === undefined) {
      points.set(ts, { ts, value, deliveries: 1 });
      this.readings += 1;
      return;
    }
    this.duplicates += 1;
    if (stored.value.type !== value.type || stored.value.value !== value.value) this.changed += 1;
    stored.value = value;
    stored.deliveries += 1;
  }

  saveAttributes(device: string, values: ReadonlyMap<string, StoredValue>): void {
    const attributes = this.devices.get(device)?.attributes;
    for (const [key, value] of values) attributes?.set(key, value);
  }

  attributesOf(device: string): ReadonlyMap<string, StoredValue> {
    return this.devices.get(device)?.attributes ?? new Map();
  }

  /** null for a device that is not known. */
  sharedOf(device: string): Map<string, JsonValue> | null {
    return this.devices.get(device)?.shared ?? null;
  }

  /** The gateway behind which the device is, null for none. Undefined for a device that is not known. */
  gatewayOf(device: string): string | null | undefined {
    return this.devices.get(device)?.gateway;
  }

  /** The device keeps everything under its new name; false when there is none of the old name, or one of the new. */
  rename(device: string, name: string): boolean {
    const known = this.devices.get(device);
    if (known === undefined || this.devices.has(name)) return false;
    this.devices.delete(device);
    this.devices.set(name, { ...known, name });
    return true;
  }

  remove(device: string): void {
    this.devices.delete(device);
  }

  /** A copy that later deliveries do not change. */
  snapshot(): Received {
    const devices = new Map<string, ReceivedDevice>();
    for (const device of this.devices.values()) {
      const telemetry = new Map<string, readonly StoredPoint[]>();
      for (const [key, points] of device.telemetry) {
        telemetry.set(
          key,
          [...points.values()].map((point) => ({ ...point })).sort((a, b) => a.ts - b.ts),
        );
      }
      const { shared: _, ...rest } = device;
      devices.set(device.name, { ...rest, telemetry, attributes: new Map(device.attributes) });
    }
    const { messages, readings, duplicates, changed, failedLater } = this;
    return { devices, messages, readings, duplicates, changed, failedLater };
  }
}

/** `received()` as the document that GET /received answers with. */
export function receivedDocument(received: Received): JsonValue {
  const devices = [...received.devices.values()].map((device): [string, JsonValue] => [
    device.name,
    {
      type: device.type,
      gateway: device.gateway,
      telemetry: Object.fromEntries(
        [...device.telemetry].map(([key, points]): [string, JsonValue] => [
          key,
          points.map(({ ts, value, deliveries }) => ({ ts, type: value.type, value: value.value, deliveries })),
        ]),
      ),
      attributes: Object.fromEntries([...device.attributes].map(([key, value]): [string, JsonValue] => [key, value])),
    },
  ]);
  const { messages, readings, duplicates, changed, failedLater } = received;
  return { messages, readings, duplicates, changed, failedLater, devices: Object.fromEntries(devices) };
}
