/** What a line worker is given, and what it tells of itself. */
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import type { Transport } from '../transport/transport.ts';
import type { DeviceManager, DeviceStatistics } from './device-manager.ts';
import type { Queued } from './job-queue.ts';

export interface MeterJob<T> extends Queued {
  readonly meterId: number;
  /** Runs with a standing association. */
  run(session: MeterSession): Promise<T>;
}

export interface LineWorkerOptions {
  readonly transport: Transport;
  readonly framing: Framing;
  /** Opening the line signs on to the meter (mode E): each association wants the line opened anew. */
  readonly signsOn: boolean;
  /** A connection over a network: it may die without a word, and is not kept open for nothing. */
  readonly network?: boolean;
  /** The line and its meters are registered there; without it they have a manager of their own. */
  readonly devices?: DeviceManager;
  /** The line among the devices. */
  readonly id?: number;
  readonly name?: string;
  /** Waits for leave to open the line; the function it gives is called when the opening is over. */
  readonly admit?: () => Promise<() => void>;
  /** Closes the port when nothing was to do for so long, milliseconds; null keeps it open. */
  readonly idleCloseMs?: number | null;
  /** An association that stands and was silent for so long is asked for a sign of life (HDLC); null never. */
  readonly keepAliveMs?: number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LineSnapshot extends DeviceStatistics {
  readonly line: string;
  readonly status: 'idle' | 'busy' | 'down';
  readonly queued: number;
  readonly completed: number;
  readonly failed: number;
  readonly avgMs: number;
  /** Wall clock before which the line is not opened; null: nothing keeps it. */
  readonly nextAttemptAt: number | null;
}
