/** kill -9 of the daemon at each commit point: what was committed is delivered, as it was said, and nothing else is. */
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { compareWithTruth, type ReceivedValue } from '../../src/simulator/meter/truth.ts';
import type { MqttProtocol } from '../../src/store/fleet/types.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import { mosquittoInstalled, startMosquitto } from '../support/mosquitto.ts';
import {
  addMeter,
  countersOf,
  DEFAULT_KEYS,
  init,
  type OutboxReport,
  ownMeters,
  type RunReport,
  simulateThingsBoard,
  valuesOf,
} from '../support/scene.ts';
import { Arrived, subscribe } from '../support/subscriber.ts';

const KINDS = ['commit', 'acknowledge', 'quarantine', 'status'] as const;
const WHENS = ['before', 'within', 'behind'] as const;
const PRELOAD = fileURLToPath(new URL('./children/kill-at.mjs', import.meta.url));

interface Peer {
  readonly url: string;
  received(): Promise<(device: string) => readonly ReceivedValue[]>;
}

async function double(bench: Bench): Promise<Peer> {
  const { url, received } = await simulateThingsBoard(bench);
  return {
    url,
    async received() {
      const document = await received();
      return (device) => valuesOf(document, device);
    },
  };
}

async function mosquitto(bench: Bench): Promise<Peer> {
  const broker = await startMosquitto();
  bench.atEnd(() => broker.stop());
  const arrived = new Arrived();
  await subscribe(bench, broker.url, arrived);
  return { url: broker.url, received: async () => (device) => arrived.of(device) };
}

/** A row that is set aside by whoever delivers it: of its two readings one has no key. */
function addPoison({ db }: Bench, number: number): void {
  const sql = new BetterSqlite3(db);
  const readings = JSON.stringify([
    ['', number, 'n', '1'],
    ['sound', number, 'n', `${number}`],
  ]);
  sql
    .prepare('INSERT INTO outbox (connection_id, device, cycle_id, created_at, readings) VALUES (1, ?, ?, ?, ?)')
    .run('poison', `poison-${number}`, number, readings);
  sql.close();
}

const PEERS: readonly (readonly [string, MqttProtocol, (bench: Bench) => Promise<Peer>])[] = [
  ['the double', '5', double],
  ['the double', '3.1.1', double],
  ['Mosquitto', '5', mosquitto],
  ['Mosquitto', '3.1.1', mosquitto],
];

describe.concurrent('kill -9 at the commit points', { timeout: 180_000 }, () => {
  const hasMosquitto = mosquittoInstalled();
  for (const [place, [name, protocol, start]] of PEERS.entries()) {
    test.skipIf(name === 'Mosquitto' && !hasMosquitto)(`${name}, MQTT ${protocol}`, async ({ onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const peer = await start(bench);
      const { virtual, links } = await ownMeters(bench, { count: 2 });
      await init(bench, peer.url, ['--protocol', protocol]);
      for (const [index, link] of links.entries()) await addMeter(bench, `house${index}`, link, ['--interval', '0.1']);

      // Each peer has every kind, all peers together every point of each.
      for (const [index, kind] of KINDS.entries()) {
        addPoison(bench, index + 1);
        const when = WHENS[(index + place) % WHENS.length];
        const env = {
          NODE_OPTIONS: `--import ${PRELOAD}`,
          KILL_AT: `${kind}:${when}:${kind === 'quarantine' ? 1 : 3}`,
        };
        const daemon = bench.start(['run'], { env });
        await daemon.exited;
        expect(daemon.child.signalCode, daemon.stderr).toBe('SIGKILL');
      }
      const last = await bench.run(['run', '--for', '1', '--json']);
      expect(documentOf<RunReport>(last)).toMatchObject({ drained: true });

      expect(await bench.json<OutboxReport>(['outbox'])).toMatchObject({ rows: 0, quarantined: KINDS.length });
      const received = await peer.received();
      expect(received('poison').map(({ ts, value }) => [ts, Number(value)])).toEqual(
        KINDS.map((_, index) => [index + 1, index + 1]),
      );
      let readings = 0;
      for (const [index, { said }] of virtual.truth().entries()) {
        const values = received(`house${index}`);
        readings += new Set(values.map(({ key, ts }) => `${key} ${ts}`)).size;
        // What was read and not yet committed when it died is nobody's loss: it is asked again.
        expect(compareWithTruth(said, values, DEFAULT_KEYS).wrong).toEqual([]);
      }
      expect(readings).toBe(countersOf(bench).readings);
      expect(readings).toBeGreaterThan(50);
    });
  }
});
