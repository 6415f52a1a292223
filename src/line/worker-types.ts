/** What a line worker is given, and what it tells of itself. */
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import type { Transport } from '../transport/transport.ts';
import type { DeviceManager, DeviceMonitor, DeviceStatistics } from './device-manager.ts';
import type { Queued } from './job-queue.ts';
import type { MeterOnLine, MeterRest } from './meter-slot.ts';
import type { SavedRecovery } from './recovery.ts';

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
  /** How the line is doing, where that is not to be registered among the devices. */
  readonly monitor?: DeviceMonitor;
  /** Whether there is anything to open, on a line that the meter opens. */
  readonly isReachable?: () => boolean;
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
  /** Of a line where meters call. */
  readonly inbound?: InboundCounts;
}

/** What a line does for its meters, whichever side opens it. */
export interface MeterLine {
  setMeter(meter: MeterOnLine, saved?: SavedRecovery | null): void;
  removeMeter(meterId: number): Promise<void>;
  holdMeter(meterId: number, held: boolean): void;
  retryMeter(meterId: number): void;
  restMs(meterId: number): number;
  meterRest(meterId: number): MeterRest | undefined;
  submit<T>(job: MeterJob<T>): Promise<T>;
  stop(withinMs?: number): Promise<void>;
  snapshot(): LineSnapshot;
}

/** What came to a line where meters call, since it listens. */
export interface InboundCounts {
  /** Connections that stand, and those among them whose meter is known. */
  readonly open: number;
  readonly identified: number;
  readonly accepted: number;
  /** Closed because nobody knows them, and because there were too many. */
  readonly strangers: number;
  readonly refused: number;
  /** Octets that belong to no message. */
  readonly discarded: number;
}
