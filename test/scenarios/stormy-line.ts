/**
 * A line worker and a virtual meter with weather between them: what becomes of each portion of octets on its way is the
 * scenario's to say. Time is virtual and nothing is random, so a scenario plays out the same every time.
 */
import { toHex } from '../../src/core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../../src/core/errors.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { LineWorker } from '../../src/line/worker.ts';
import { readAttributes, readObjectList } from '../../src/meter/client.ts';
import { type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import type { MeterSession } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Endpoint, endpointOf } from '../../src/simulator/meter/endpoint.ts';
import type { MeterModelOptions } from '../../src/simulator/meter/meter-model.ts';
import { VirtualMeter } from '../../src/simulator/meter/virtual-meter.ts';
import type { Framing } from '../../src/transport/link-address.ts';
import type { Transport, TransportEvents } from '../../src/transport/transport.ts';
import { model } from '../simulator/meter-support.ts';
import { until } from '../support/until.ts';

export const TIMEOUT_MS = 1000;

export interface Passage {
  /** A function is asked when they arrive. */
  readonly bytes: Uint8Array | (() => Uint8Array);
  /** On the way for so long, milliseconds. */
  readonly afterMs?: number;
  /** The meter's end hangs up behind it. */
  readonly thenHangUp?: boolean;
}

/** What becomes of one frame. `count`: the how-manieth it is in its direction, from 1, over all connections. */
export type Weather = (frame: Uint8Array, direction: 'to-meter' | 'to-client', count: number) => readonly Passage[];

export const FAIR: Weather = (bytes) => [{ bytes }];

export interface Scenario {
  readonly framing: Framing;
  readonly weather?: Weather;
  readonly settings?: Partial<MeterSettings>;
  readonly secrets?: Partial<MeterSecrets>;
  readonly meter?: Partial<MeterModelOptions>;
  readonly counters?: CounterStore;
}

class StormyLine implements Transport {
  readonly description = 'stormy line';
  connections = 0;
  private readonly makeEndpoint: () => Endpoint;
  private readonly weather: Weather;
  private readonly clock: VirtualClock;
  private readonly counts = { 'to-meter': 0, 'to-client': 0 };
  private standing: { readonly endpoint: Endpoint; readonly events: TransportEvents } | null = null;

  constructor(makeEndpoint: () => Endpoint, weather: Weather, clock: VirtualClock) {
    this.makeEndpoint = makeEndpoint;
    this.weather = weather;
    this.clock = clock;
  }

  async open(events: TransportEvents): Promise<void> {
    this.connections += 1;
    this.standing = { endpoint: this.makeEndpoint(), events };
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { standing } = this;
    if (standing === null) return fail('LINE_CLOSED', 'the stormy line is closed');
    this.travel(bytes, 'to-meter', (octets) => {
      for (const { frame } of standing.endpoint.receive(octets)) {
        this.travel(frame, 'to-client', (heard) => standing.events.data(heard));
      }
    });
  }

  async close(): Promise<void> {
    this.standing = null;
  }

  private travel(frame: Uint8Array, direction: 'to-meter' | 'to-client', arrive: (octets: Uint8Array) => void): void {
    const { standing } = this;
    this.counts[direction] += 1;
    for (const { bytes, afterMs = 0, thenHangUp = false } of this.weather(frame, direction, this.counts[direction])) {
      this.clock.setTimer(afterMs, () => {
        if (this.standing !== standing) return;
        arrive(typeof bytes === 'function' ? bytes() : bytes);
        if (thenHangUp) this.hangUp();
      });
    }
  }

  private hangUp(): void {
    const { standing } = this;
    this.standing = null;
    standing?.events.closed(new BridgeError('LINE_CLOSED', 'the other end hung up'));
  }
}

/** A meter and a worker on such a line. */
export function stormy({ framing, weather = FAIR, settings, secrets, meter, counters }: Scenario) {
  const clock = new VirtualClock();
  const virtual = new VirtualMeter({ model: model(meter), physical: 17, faults: [], seed: 1, clock });
  const line = new StormyLine(() => endpointOf(framing, { find: () => virtual }), weather, clock);
  const worker = new LineWorker({ transport: line, framing, signsOn: false, clock, log: silentLogger });
  worker.setMeter({
    id: 1,
    name: 'house1',
    settings: {
      ...DEFAULT_METER_SETTINGS,
      client: 1,
      physical: framing === 'hdlc' ? 17 : null,
      timeoutMs: TIMEOUT_MS,
      ...settings,
    },
    secrets: { ...NO_SECRETS, ...secrets },
    security: { systemTitle: Buffer.from('444d4d0000000001', 'hex'), counters: counters ?? unkeptCounters() },
  });
  /** What a job gives, or the code of its error. */
  const run = async <T>(job: (session: MeterSession) => Promise<T>): Promise<T | string> => {
    let outcome: { readonly value: T | string } | null = null;
    worker.submit({ meterId: 1, priority: 'command', due: 0, run: job }).then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { value: asBridgeError(error).code };
      },
    );
    await until('the job is over', () => outcome !== null, { clock, stepMs: 50, withinMs: 30_000 });
    return (outcome as unknown as { readonly value: T | string }).value;
  };
  return { clock, line, meter: virtual.model, read: () => run(readMuch) };
}

const NAME = { classId: 1, instanceId: '0.0.42.0.0.255', attributeId: 2 };

/** The name of the meter before and behind its object list, which takes many frames; the same at any time. */
async function readMuch(session: MeterSession): Promise<string> {
  const name = async (): Promise<string> => {
    const [result] = await readAttributes(session, [NAME]);
    return result !== undefined && 'data' in result && result.data.type === 'octet-string'
      ? toHex(result.data.value)
      : 'refused';
  };
  const before = await name();
  const objects = await readObjectList(session);
  return JSON.stringify([before, objects, await name()], (_, value: unknown) =>
    value instanceof Uint8Array ? toHex(value) : value,
  );
}

/** What is read when nothing is in the way. */
export async function readInFairWeather(scenario: Omit<Scenario, 'weather'>): Promise<string> {
  const read = await stormy(scenario).read();
  if (!read.startsWith('["')) throw new Error(`${read} in fair weather`);
  return read;
}
