/** What goes wrong between the outbox and the server, one entry a fault. Each shows that it did harm, or was lived with. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import { fillDisk } from '../support/small-disk.ts';
import type { OneServer } from './scene.ts';

export interface Fault {
  readonly name: string;
  /** Begins and ends within it. */
  strike(under: OneServer): Promise<void>;
  /** The database lies on a disk that can be filled. */
  readonly needsSmallDisk?: boolean;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const piledUp = ({ scene }: OneServer, rows: number): void => expect(scene.depth().rows).toBeGreaterThan(rows);

/** Nothing is delivered while it lasts. */
async function outage(under: OneServer, ms: number): Promise<void> {
  await under.scene.pass(ms);
  piledUp(under, ms / 2500);
}

/** Delivery goes on while it lasts. */
async function livedWith(under: OneServer, ms: number): Promise<void> {
  const before = under.relay.published.length;
  await under.scene.pass(ms);
  expect(under.relay.published.length).toBeGreaterThan(before + ms / 20_000);
}

async function rivalry(under: OneServer, waitMs: number): Promise<void> {
  const rival = under.rival(waitMs);
  const isKnown = (): boolean => under.scene.publishers.statuses().get(1)?.conflict === true;
  await under.scene.passUntil('the conflict is known', isKnown, MINUTE);
  await livedWith(under, 10 * MINUTE);
  expect(rival.sessions).toBeGreaterThan(30);
  rival.stop();
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'killed and restarted, again and again, in the middle of delivering',
    async strike(under) {
      const { server, relay, scene } = under;
      relay.shut();
      await outage(under, MINUTE);
      relay.open();
      for (let time = 0; time < 4; time += 1) {
        let killed: Promise<void> | null = null;
        const last = relay.published.length + 3;
        relay.passage = () => {
          if (relay.published.length >= last) killed ??= server.kill();
          return 'pass';
        };
        await scene.passUntil('messages are on their way', () => killed !== null);
        relay.shut();
        await killed;
        await outage(under, 40 * SECOND);
        relay.passage = () => 'pass';
        await server.restart();
        relay.open();
      }
    },
  },
  {
    name: 'frozen while it is connected',
    async strike(under) {
      under.server.freeze();
      await outage(under, 3 * MINUTE);
      under.server.thaw();
    },
  },
  {
    name: 'frozen before the CONNACK: accepts connections, never answers',
    async strike(under) {
      const { server, relay } = under;
      server.freeze();
      relay.break();
      await outage(under, 3 * MINUTE);
      expect(under.scene.publishers.statuses().get(1)?.lastError?.code).toBe('MQTT_UNREACHABLE');
      server.thaw();
    },
  },
  {
    name: 'half-open: the other end is gone without a FIN',
    async strike(under) {
      const before = under.sessions;
      for (let time = 0; time < 3; time += 1) {
        under.relay.goDead();
        await under.scene.pass(40 * SECOND);
      }
      expect(under.sessions).toBeGreaterThanOrEqual(before + 3);
    },
  },
  {
    name: 'slow: each packet takes three seconds either way',
    async strike(under) {
      under.relay.delayMs = 3 * SECOND;
      await livedWith(under, 3 * MINUTE);
      expect(under.sessions).toBe(1);
      under.relay.delayMs = 0;
    },
  },
  {
    name: 'so slow that each PUBACK comes too late',
    async strike(under) {
      under.relay.delayMs = 12 * SECOND;
      await outage(under, 3 * MINUTE);
      under.relay.delayMs = 0;
    },
  },
  {
    name: 'PUBACKs withheld for longer than they are waited for',
    async strike(under) {
      under.relay.fate = () => 'hold';
      await outage(under, 2 * MINUTE);
      under.relay.fate = () => 'pass';
      under.relay.release();
    },
  },
  {
    name: 'every third PUBACK lost',
    async strike(under) {
      under.relay.fate = (count) => (count % 3 === 0 ? 'lose' : 'pass');
      await livedWith(under, 3 * MINUTE);
      expect(under.sessions).toBeGreaterThan(1);
      under.relay.fate = () => 'pass';
    },
  },
  {
    name: 'PUBACKs in reversed order, some twice',
    async strike(under) {
      for (let turn = 0; turn < 20; turn += 1) {
        under.relay.fate = (count) => (count % 2 === 0 ? 'hold' : 'double');
        await livedWith(under, 10 * SECOND);
        under.relay.release('reversed');
      }
      expect(under.sessions).toBe(1);
      under.relay.fate = () => 'pass';
      under.relay.release('reversed');
    },
  },
  {
    name: 'connections that break with messages on their way, or their PUBACKs',
    async strike(under) {
      const { relay, scene } = under;
      relay.shut();
      await outage(under, MINUTE);
      relay.open();
      relay.passage = (count) => (count % 5 !== 0 ? 'pass' : count % 2 === 0 ? 'break-before' : 'break-behind');
      await livedWith(under, 3 * MINUTE);
      expect(under.sessions).toBeGreaterThan(3);
      relay.passage = () => 'pass';
      await scene.pass(MINUTE);
    },
  },
  { name: 'a rival every second, for ten minutes', strike: (under) => rivalry(under, SECOND) },
  { name: 'a rival every two seconds, for ten minutes', strike: (under) => rivalry(under, 2 * SECOND) },
  {
    name: 'the disk full while the backlog drains',
    needsSmallDisk: true,
    async strike(under) {
      const { relay, scene } = under;
      relay.shut();
      await outage(under, MINUTE);
      const filler = fillDisk(dirname(scene.database.path));
      await scene.pass(10 * SECOND);
      const { rows } = scene.depth();
      await scene.pass(MINUTE);
      // Nothing more is taken.
      expect(scene.depth().rows).toBe(rows);
      relay.open();
      await scene.passUntil('it drains all the same', () => scene.depth().rows === 0);
      await scene.pass(MINUTE);
      rmSync(filler);
    },
  },
];
