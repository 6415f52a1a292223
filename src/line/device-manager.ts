/**
 * The states of all meters and lines of a process: each is driven through the table of `states.ts`, what happens is told
 * as typed events, and statistics are kept of it.
 */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { EventBus } from '../runtime/events.ts';
import { CONNECTION_TRANSITIONS, type ConnectionInput, type ConnectionState } from './states.ts';

export type DeviceKind = 'meter' | 'line';

export interface Device {
  readonly kind: DeviceKind;
  readonly id: number;
  /** The meter's name, the line's link. */
  readonly name: string;
}

export type Suspender = 'breaker' | 'operator';

export interface DeviceEvents {
  registered: Device;
  connecting: Device;
  connected: Device & { readonly reconnected: boolean };
  /** `error` null: closed on our side. */
  disconnected: Device & { readonly error: BridgeError | null };
  /** An attempt or its use failed; each time. */
  error: Device & { readonly error: BridgeError };
  suspended: Device & { readonly by: Suspender };
  resumed: Device;
  /** The quick attempts are used up: from now on there are slow probes only. */
  'max-reconnect': Device & { readonly failures: number; readonly error: BridgeError };
}

export interface DeviceStatistics {
  readonly state: ConnectionState;
  /** Who suspended it; null when nobody did. */
  readonly suspendedBy: Suspender | null;
  /** Times it became connected, and how many of these were not the first. */
  readonly connections: number;
  readonly reconnections: number;
  readonly errors: number;
  /** Mean time that it stayed connected, the present time included; null while it never was. Milliseconds. */
  readonly averageUptimeMs: number | null;
  /** Wall clock of its last answer. */
  readonly lastSeen: number | null;
}

export interface DeviceTotals {
  readonly total: number;
  readonly connected: number;
  readonly connecting: number;
  readonly disconnected: number;
  readonly error: number;
  readonly suspended: number;
  readonly connections: number;
  readonly reconnections: number;
  readonly errors: number;
  readonly averageUptimeMs: number | null;
  readonly lastSeen: number | null;
}

/** One meter's or line's state and statistics. */
export class DeviceMonitor {
  readonly device: Device;
  private readonly clock: Clock;
  private readonly events: EventBus<DeviceEvents>;
  private current: ConnectionState = 'disconnected';
  private suspender: Suspender | null = null;
  private connections = 0;
  private errors = 0;
  private uptime = 0;
  private connectedAt = 0;
  private seen: number | null;

  constructor(device: Device, clock: Clock, events: EventBus<DeviceEvents>, lastSeen: number | null) {
    this.device = device;
    this.clock = clock;
    this.events = events;
    this.seen = lastSeen;
  }

  get state(): ConnectionState {
    return this.current;
  }

  attempt(): void {
    if (this.advance('attempt')) this.events.emit('connecting', this.device);
  }

  answered(): void {
    this.seen = this.clock.now();
    const from = this.current;
    if (!this.advance('answered')) return;
    this.connectedAt = this.clock.monotonic();
    this.connections += 1;
    if (from === 'suspended') this.events.emit('resumed', this.device);
    this.events.emit('connected', { ...this.device, reconnected: this.connections > 1 });
  }

  failed(error: BridgeError): void {
    this.errors += 1;
    this.advance('failed');
    this.events.emit('error', { ...this.device, error });
  }

  lost(error: BridgeError): void {
    if (this.advance('lost')) this.events.emit('disconnected', { ...this.device, error });
  }

  ended(): void {
    if (this.advance('ended')) this.events.emit('disconnected', { ...this.device, error: null });
  }

  /** The breaker does not take over what an operator suspended; an operator takes over from the breaker. */
  suspend(by: Suspender): void {
    const isNews = this.advance('suspend');
    if (!isNews && (this.suspender === by || this.suspender === 'operator')) return;
    this.suspender = by;
    this.events.emit('suspended', { ...this.device, by });
  }

  resume(): void {
    if (this.advance('resume')) this.events.emit('resumed', this.device);
  }

  exhausted(failures: number, error: BridgeError): void {
    this.events.emit('max-reconnect', { ...this.device, failures, error });
  }

  statistics(): DeviceStatistics {
    const standing = this.current === 'connected' ? this.clock.monotonic() - this.connectedAt : 0;
    return {
      state: this.current,
      suspendedBy: this.suspender,
      connections: this.connections,
      reconnections: Math.max(0, this.connections - 1),
      errors: this.errors,
      averageUptimeMs: this.connections === 0 ? null : Math.round((this.uptime + standing) / this.connections),
      lastSeen: this.seen,
    };
  }

  /** Tells whether the state changed. */
  private advance(input: ConnectionInput): boolean {
    const from = this.current;
    const to = CONNECTION_TRANSITIONS[from][input];
    if (from === to) return false;
    if (from === 'connected') this.uptime += this.clock.monotonic() - this.connectedAt;
    if (from === 'suspended') this.suspender = null;
    this.current = to;
    return true;
  }
}

export class DeviceManager {
  readonly events: EventBus<DeviceEvents>;
  private readonly clock: Clock;
  private readonly monitors: Readonly<Record<DeviceKind, Map<number, DeviceMonitor>>> = {
    meter: new Map(),
    line: new Map(),
  };

  constructor(clock: Clock, onListenerError: (error: BridgeError) => void) {
    this.clock = clock;
    this.events = new EventBus<DeviceEvents>((error) => onListenerError(asBridgeError(error)));
  }

  /** The monitor of a device, the one that it has already unless it has another name now. */
  register(device: Device, lastSeen: number | null = null): DeviceMonitor {
    const ofKind = this.monitors[device.kind];
    const known = ofKind.get(device.id);
    if (known?.device.name === device.name) return known;
    const monitor = new DeviceMonitor(device, this.clock, this.events, known?.statistics().lastSeen ?? lastSeen);
    ofKind.set(device.id, monitor);
    this.events.emit('registered', device);
    return monitor;
  }

  get(kind: DeviceKind, id: number): DeviceMonitor | undefined {
    return this.monitors[kind].get(id);
  }

  /** Forgets the devices of a kind that are not among these. */
  keepOnly(kind: DeviceKind, ids: ReadonlySet<number> | ReadonlyMap<number, unknown>): void {
    for (const id of this.monitors[kind].keys()) if (!ids.has(id)) this.monitors[kind].delete(id);
  }

  totals(kind: DeviceKind): DeviceTotals {
    const all = [...this.monitors[kind].values()].map((monitor) => monitor.statistics());
    const inState = (wanted: ConnectionState): number => all.filter(({ state }) => state === wanted).length;
    const sum = (of: (one: DeviceStatistics) => number): number => all.reduce((total, one) => total + of(one), 0);
    const connections = sum((one) => one.connections);
    return {
      total: all.length,
      connected: inState('connected'),
      connecting: inState('connecting'),
      disconnected: inState('disconnected'),
      error: inState('error'),
      suspended: inState('suspended'),
      connections,
      reconnections: sum((one) => one.reconnections),
      errors: sum((one) => one.errors),
      averageUptimeMs:
        connections === 0 ? null : Math.round(sum((one) => (one.averageUptimeMs ?? 0) * one.connections) / connections),
      lastSeen: all.reduce<number | null>((latest, { lastSeen }) => Math.max(latest ?? 0, lastSeen ?? 0) || null, null),
    };
  }
}
