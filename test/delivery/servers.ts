/** Who is delivered to: the ThingsBoard double and a real broker, in both protocol versions, under one handle. */
import type { VirtualClock } from '../../src/runtime/clock.ts';
import type { ReceivedValue } from '../../src/simulator/meter/truth.ts';
import { type DoubleOptions, startThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import { Rival } from '../../src/simulator/thingsboard/rival.ts';
import type { MqttProtocol } from '../../src/store/fleet/types.ts';
import type { Bench } from '../support/cli.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { TOKEN } from '../support/scene.ts';
import { Arrived, subscribe } from '../support/subscriber.ts';

export interface Server {
  readonly port: number;
  /** Vanishes as a process does that is killed. */
  kill(): Promise<void>;
  /** Comes back on the same port. */
  restart(): Promise<void>;
  /** Accepts connections and octets, answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Another client that takes our session, and comes back after `waitMs` when it has lost it again. */
  rival(ourClientId: string, waitMs: number): Rival;
  /** Telemetry of a device. */
  received(device: string): readonly ReceivedValue[];
}

export interface ServerKind {
  readonly name: string;
  readonly protocol: MqttProtocol;
  readonly isMosquitto: boolean;
  start(bench: Bench, clock: VirtualClock): Promise<Server>;
}

/** A row of three values and a bit: a backlog takes many messages. */
const SMALL_PACKETS = { maxPayloadSize: 300 };

/** The access token of a meter, in device mode. */
export function tokenOf(meter: string): string {
  return `token-of-${meter}`;
}

/** A double that knows a gateway, unless told otherwise. */
export async function startDouble(
  bench: Bench,
  clock: VirtualClock,
  options: Partial<DoubleOptions> = {},
): Promise<Server> {
  const tokens = [{ token: TOKEN, device: 'gateway', gateway: true }];
  const double = await startThingsBoardDouble({ tokens, clock, limits: SMALL_PACKETS, ...options });
  bench.atEnd(() => double.stop());
  return {
    port: double.port,
    kill: () => double.kill(),
    restart: () => double.restart(),
    freeze: () => double.freeze(),
    thaw: () => double.thaw(),
    rival: (_, waitMs) => new Rival({ port: double.port, token: TOKEN, clock, waitMs: () => waitMs }),
    received: (device) =>
      [...(double.received().devices.get(device)?.telemetry ?? [])].flatMap(([key, points]) =>
        points.map(({ ts, value }) => ({ key, ts, value: value.value })),
      ),
  };
}

/** A broker tells the size of its packets in MQTT 5 only. */
const SMALL_PACKETS_OF_BROKER = `max_packet_size ${SMALL_PACKETS.maxPayloadSize}`;

async function startBroker(bench: Bench, clock: VirtualClock, config = ''): Promise<Server> {
  const broker = await startMosquitto(config);
  bench.atEnd(() => broker.stop());
  const arrived = new Arrived();
  await subscribe(bench, broker.url, arrived);
  return {
    port: broker.port,
    kill: () => broker.kill(),
    async restart() {
      await broker.restart();
      await subscribe(bench, broker.url, arrived);
    },
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
    // A broker knows a session by its client ID.
    rival: (clientId, waitMs) => new Rival({ port: broker.port, token: TOKEN, clientId, clock, waitMs: () => waitMs }),
    received: (device) => arrived.of(device),
  };
}

export const SERVERS: readonly ServerKind[] = [
  { name: 'the double, MQTT 5', protocol: '5', isMosquitto: false, start: startDouble },
  { name: 'the double, MQTT 3.1.1', protocol: '3.1.1', isMosquitto: false, start: startDouble },
  {
    name: 'Mosquitto, MQTT 5',
    protocol: '5',
    isMosquitto: true,
    start: (bench, clock) => startBroker(bench, clock, SMALL_PACKETS_OF_BROKER),
  },
  { name: 'Mosquitto, MQTT 3.1.1', protocol: '3.1.1', isMosquitto: true, start: startBroker },
];
