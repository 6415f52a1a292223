/** A line worker on virtual meters over a line in memory, with the clock moved by hand. */
import { type BridgeError, fail } from '../../src/core/errors.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { type DeviceEvents, DeviceManager } from '../../src/line/device-manager.ts';
import type { MeterOnLine } from '../../src/line/meter-slot.ts';
import { LineWorker } from '../../src/line/worker.ts';
import type { LineWorkerOptions, MeterJob } from '../../src/line/worker-types.ts';
import { readAttributes } from '../../src/meter/client.ts';
import { unkeptCounters } from '../../src/meter/counters.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters, type VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import type { MeterReport } from '../../src/simulator/meter/truth.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Transport, TransportEvents } from '../../src/transport/transport.ts';
import { until } from '../support/until.ts';

export const TIMEOUT_MS = 1000;
export const ENERGY = { classId: 3, instanceId: '1.0.1.8.0.255', attributeId: 2 };

/** An end of a memory pair that can be opened and closed as often as one likes, and fail as told. */
export class FlakyLine implements Transport {
  readonly description = 'flaky line';
  /** What opening throws. */
  down: BridgeError | null = null;
  /** The connection stands and carries nothing any more, until it is opened anew. */
  dead = false;
  /** Attempts to open it. */
  opens = 0;
  /** Frames written. */
  readonly frames: Uint8Array[] = [];
  private readonly inner: Transport;
  private events: TransportEvents | null = null;
  private begun = false;

  constructor(inner: Transport) {
    this.inner = inner;
  }

  get isOpen(): boolean {
    return this.events !== null;
  }

  async open(events: TransportEvents): Promise<void> {
    this.opens += 1;
    if (this.down !== null) throw this.down;
    this.events = events;
    this.dead = false;
    if (this.begun) return;
    this.begun = true;
    await this.inner.open({
      data: (bytes) => this.events?.data(bytes),
      closed: (reason) => this.break(reason),
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.events === null) fail('LINE_CLOSED', 'not open');
    this.frames.push(bytes);
    if (!this.dead) await this.inner.write(bytes);
  }

  async close(): Promise<void> {
    this.events = null;
  }

  break(reason: BridgeError): void {
    const { events } = this;
    this.events = null;
    events?.closed(reason);
  }
}

export interface Line {
  readonly worker: LineWorker;
  readonly clock: VirtualClock;
  readonly transport: FlakyLine;
  readonly devices: DeviceManager;
  /** `name kind id`, in the order told. */
  readonly told: readonly string[];
  /** What the meters said, in their order. */
  truth(): readonly MeterReport[];
  meter(id: number): MeterOnLine;
  /** Runs the clock until the promise settles; a rejection comes out as its error. */
  settled<T>(promise: Promise<T>): Promise<T | BridgeError>;
}

const EVENTS: readonly (keyof DeviceEvents)[] = [
  'connecting',
  'connected',
  'disconnected',
  'error',
  'suspended',
  'resumed',
  'max-reconnect',
];

/** A worker with meters 1..count on it; `dead` ids are configured, but answer to nothing. */
export async function line(
  options: Partial<VirtualMetersOptions> = {},
  dead: readonly number[] = [],
  more: Partial<LineWorkerOptions> & { readonly keepSession?: boolean } = {},
): Promise<Line> {
  const clock = new VirtualClock();
  const [ours, theirs] = memoryPair();
  const framing = options.framing ?? 'hdlc';
  const meters = await startVirtualMeters({
    count: 3,
    port: 0,
    auth: 'none',
    framing,
    clock,
    transport: theirs,
    ...options,
  });
  const devices = new DeviceManager(clock, (error) => {
    throw error;
  });
  const told: string[] = [];
  for (const name of EVENTS) devices.events.on(name, ({ kind, id }) => void told.push(`${name} ${kind} ${id}`));
  const { keepSession = true, ...worked } = more;
  const transport = new FlakyLine(ours);
  const worker = new LineWorker({
    transport,
    framing,
    signsOn: false,
    clock,
    devices,
    log: silentLogger,
    ...worked,
  });
  const onLine = meters.addresses.map(({ server, physical }, index): MeterOnLine => {
    const id = index + 1;
    return {
      id,
      name: `house${id}`,
      settings: {
        ...DEFAULT_METER_SETTINGS,
        server: dead.includes(id) ? server + 500 : server,
        physical,
        timeoutMs: TIMEOUT_MS,
      },
      secrets: NO_SECRETS,
      security: { systemTitle: new Uint8Array(8), counters: unkeptCounters() },
      keepSession,
    };
  });
  for (const meter of onLine) worker.setMeter(meter);
  return {
    worker,
    clock,
    transport,
    devices,
    told,
    truth: () => meters.truth(),
    meter: (id) => onLine[id - 1]!,
    async settled<T>(promise: Promise<T>): Promise<T | BridgeError> {
      let outcome: { readonly value: T | BridgeError } | undefined;
      promise.then(
        (value) => {
          outcome = { value };
        },
        (error: BridgeError) => {
          outcome = { value: error };
        },
      );
      await until('the job is done', () => outcome !== undefined, { clock, stepMs: 50 });
      return outcome!.value;
    },
  };
}

export function energyJob(meterId: number, more: Partial<MeterJob<number>> = {}): MeterJob<number> {
  return {
    meterId,
    priority: 'poll',
    due: 0,
    async run(session: MeterSession) {
      const before = session.counts.roundTrips;
      await readAttributes(session, [ENERGY]);
      return session.counts.roundTrips - before;
    },
    ...more,
  };
}
