/** A client's conversation with one virtual meter over a line in memory, with the clock moved by hand. */
import type { BridgeError } from '../../src/core/errors.ts';
import { DEFAULT_METER_SETTINGS, type MeterSecrets, type MeterSettings, NO_SECRETS } from '../../src/dlms/settings.ts';
import { LineWorker } from '../../src/line/worker.ts';
import { type CounterStore, unkeptCounters } from '../../src/meter/counters.ts';
import type { MeterSession, SecurityPorts } from '../../src/meter/session.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters, type VirtualMeters, type VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { SignOnStyle, Transport } from '../../src/transport/transport.ts';
import { until } from './until.ts';

export interface Conversation {
  readonly clock: VirtualClock;
  readonly meters: VirtualMeters;
  /** How the line was opened each time, for transports that sign on. */
  readonly styles: readonly (SignOnStyle | undefined)[];
  /** What the client wrote, with the moment of it. */
  readonly sent: readonly { readonly at: number; readonly octets: Uint8Array }[];
  /** Runs with a standing association; throws what it throws. */
  run<T>(action: (session: MeterSession) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export async function conversation(
  options: Partial<VirtualMetersOptions> = {},
  settings: Partial<MeterSettings> = {},
  secrets: Partial<MeterSecrets> = {},
  counters: CounterStore = unkeptCounters(),
  { ports = {}, log = silentLogger }: { readonly ports?: Partial<SecurityPorts>; readonly log?: Logger } = {},
): Promise<Conversation> {
  const { framing = 'wrapper' } = options;
  const clock = new VirtualClock(Date.UTC(2026, 9, 25, 1, 7, 30));
  const [ours, theirs] = memoryPair();
  const sent: { at: number; octets: Uint8Array }[] = [];
  const styles: (SignOnStyle | undefined)[] = [];
  const recorded: Transport = {
    ...ours,
    open(events, style) {
      styles.push(style);
      return ours.open(events);
    },
    write(octets) {
      sent.push({ at: clock.now(), octets });
      return ours.write(octets);
    },
  };
  const meters = await startVirtualMeters({
    count: 1,
    port: 0,
    auth: 'none',
    clock,
    transport: theirs,
    ...options,
    framing,
  });
  const worker = new LineWorker({ transport: recorded, framing, signsOn: false, clock, log });
  const physical = meters.addresses[0]?.physical ?? null;
  worker.setMeter({
    id: 1,
    name: 'house1',
    settings: { ...DEFAULT_METER_SETTINGS, client: 1, physical, timeoutMs: 1000, ...settings },
    secrets: { ...NO_SECRETS, ...secrets },
    security: { systemTitle: new Uint8Array(8), counters, ...ports },
  });
  return {
    clock,
    meters,
    sent,
    styles,
    async run<T>(action: (session: MeterSession) => Promise<T>): Promise<T> {
      let outcome: { readonly value: T } | { readonly error: BridgeError } | undefined;
      worker.submit({ meterId: 1, priority: 'command', due: 0, run: action }).then(
        (value) => {
          outcome = { value };
        },
        (error: BridgeError) => {
          outcome = { error };
        },
      );
      await until('the conversation is over', () => outcome !== undefined, { clock, stepMs: 10, withinMs: 30_000 });
      if ('error' in outcome!) throw outcome.error;
      return outcome!.value;
    },
    async end() {
      const stopped = worker.stop();
      await clock.advance(5000);
      await stopped;
      await meters.stop();
    },
  };
}
