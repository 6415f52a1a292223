/** A running daemon with one virtual meter behind a tap, for tests of commands. */
import type { VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import type { Bench, Running } from './cli.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { addMeter, countersOf, init, ownMeters } from './scene.ts';
import { type Tap, tapOn } from './tap.ts';

export interface Commanded {
  readonly tap: Tap;
  readonly link: string;
  /** Starts the daemon and waits until it polls. */
  run(): Promise<Running>;
}

export interface StoredCommandReport {
  readonly id: number;
  readonly meter: string;
  readonly verb: string;
  readonly subject: string;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly state: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly progress: string | null;
  readonly code: string | null;
}

/** A database with the meter `house1`, polled twice a second, and no ThingsBoard that answers. */
export async function commanded(
  bench: Bench,
  flags: readonly string[] = ['--client', '1'],
  options: Partial<VirtualMetersOptions> = {},
): Promise<Commanded> {
  const { virtual } = await ownMeters(bench, options);
  const tap = await tapOn(bench, virtual.addresses[0]?.port ?? 0);
  const link = `tcp://127.0.0.1:${tap.port}`;
  await init(bench, `mqtt://127.0.0.1:${await freePort()}`);
  await addMeter(bench, 'house1', link, flags);
  return {
    tap,
    link,
    async run() {
      const { cycles } = countersOf(bench);
      const daemon = bench.start(['run', '--log-level', 'warn']);
      await eventually('the daemon polls', () => countersOf(bench).cycles > cycles);
      return daemon;
    },
  };
}

export async function commandsOf(bench: Bench): Promise<readonly StoredCommandReport[]> {
  return (await bench.json<{ commands: readonly StoredCommandReport[] }>(['commands', 'list'])).commands;
}
