/** Listens on a real broker to everything that the program publishes. */
import { connect } from 'mqtt';
import type { ReceivedValue } from '../../src/simulator/meter/truth.ts';
import type { Bench } from './cli.ts';

/** Everything that arrived, over as many subscriptions as it took. */
export class Arrived {
  /** Telemetry by device, key and time: what came twice stands here once. */
  readonly readings = new Map<string, ReceivedValue & { readonly device: string }>();
  messages = 0;
  /** Readings that came again with another value. */
  changed = 0;

  /** `text` is a payload of v1/gateway/telemetry; numbers are kept as they are written there. */
  add(text: string): void {
    this.messages += 1;
    const exact = text.replace(/:(-?\d+(?:\.\d+)?)(?=[,}])/g, ':"$1"');
    const payload = JSON.parse(exact) as Record<string, { ts: string; values: Record<string, string> }[]>;
    for (const [device, entries] of Object.entries(payload)) {
      for (const { ts, values } of entries) {
        for (const [key, value] of Object.entries(values)) {
          const id = `${device}/${key}/${ts}`;
          if ((this.readings.get(id)?.value ?? value) !== value) this.changed += 1;
          this.readings.set(id, { device, key, ts: Number(ts), value });
        }
      }
    }
  }

  of(device: string): ReceivedValue[] {
    return [...this.readings.values()].filter((reading) => reading.device === device);
  }
}

/**
 * Subscribes at QoS 0: the broker then hands a message on before it acknowledges it, so that what was acknowledged when
 * the broker is killed has arrived here.
 */
export async function subscribe(bench: Bench, url: string, arrived: Arrived): Promise<void> {
  const client = connect(url, { reconnectPeriod: 0 });
  bench.atEnd(() => client.endAsync(true));
  client.on('error', () => undefined);
  client.on('message', (topic, payload) => {
    if (topic === 'v1/gateway/telemetry') arrived.add(payload.toString());
  });
  await new Promise<void>((resolve, reject) => client.once('connect', () => resolve()).once('error', reject));
  await client.subscribeAsync('v1/#', { qos: 0 });
}

/** Resolves with the QoS of the next telemetry message. */
export async function qosOfNext(bench: Bench, url: string): Promise<number> {
  const client = connect(url, { reconnectPeriod: 0 });
  bench.atEnd(() => client.endAsync(true));
  client.on('error', () => undefined);
  const next = new Promise<number>((resolve) => client.on('message', (_topic, _payload, { qos }) => resolve(qos)));
  await client.subscribeAsync('v1/gateway/telemetry', { qos: 2 });
  return next;
}
