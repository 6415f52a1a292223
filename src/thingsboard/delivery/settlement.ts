/**
 * Writes down what became of rows: delivered ones are deleted, hopeless ones quarantined. Groups whatever comes while a
 * write is under way into the next one, and repeats a write that failed: until then the row counts as settled here and
 * is not sent again.
 */
import { asBridgeError } from '../../core/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { delays, type RetryPolicy } from '../../runtime/retry.ts';
import type { OutboxRow, Writer } from '../../store/local/types.ts';

export type SettlementWriter = Pick<Writer, 'acknowledge' | 'quarantine' | 'hurry'>;

export interface SettlementListener {
  /** Somebody waits for the rows to be gone. */
  isAwaited(): boolean;
  delivered(row: OutboxRow): void;
  setAside(row: OutboxRow, reason: string): void;
}

/** So many settled rows are a transaction of their own worth, and enough to keep in memory. */
const MANY_ROWS = 100;

const RETRY: RetryPolicy = {
  shape: 'exponential',
  base: 500,
  max: 30_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'none',
};

export class Settlement {
  private readonly writer: SettlementWriter;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly listener: SettlementListener;
  private readonly signal: AbortSignal;
  private readonly unwritten = new Map<number, { readonly row: OutboxRow; readonly reason: string | null }>();
  private running: Promise<void> | null = null;

  constructor(
    writer: SettlementWriter,
    clock: Clock,
    logger: Logger,
    listener: SettlementListener,
    signal: AbortSignal,
  ) {
    this.writer = writer;
    this.clock = clock;
    this.logger = logger;
    this.listener = listener;
    this.signal = signal;
  }

  /** The row is settled and only waits to be written down. */
  has(rowId: number): boolean {
    return this.unwritten.has(rowId);
  }

  deliver(row: OutboxRow): void {
    this.add(row, null);
  }

  quarantine(row: OutboxRow, reason: string): void {
    this.add(row, reason);
  }

  /** Resolves when everything given so far is written, or could not be before the signal aborted. */
  async finished(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  private add(row: OutboxRow, reason: string | null): void {
    this.unwritten.set(row.id, { row, reason });
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    this.hurryIfAwaited();
  }

  private hurryIfAwaited(): void {
    if (this.unwritten.size >= MANY_ROWS || this.listener.isAwaited()) this.writer.hurry();
  }

  private async run(): Promise<void> {
    let waits = delays(RETRY);
    // Rows that are settled in the same turn share the first write.
    await Promise.resolve();
    while (this.unwritten.size > 0) {
      try {
        await this.writeOnce();
        waits = delays(RETRY);
      } catch (thrown) {
        const error = asBridgeError(thrown);
        this.logger.error({ code: error.code, rows: this.unwritten.size }, `Outbox not updated: ${error.message}`);
        if (this.signal.aborted) return;
        await sleep(this.clock, waits.next().value ?? RETRY.max, this.signal).catch(() => undefined);
      }
    }
  }

  private async writeOnce(): Promise<void> {
    const entries = [...this.unwritten.values()];
    const delivered = entries.filter(({ reason }) => reason === null).map(({ row }) => row);
    if (delivered.length > 0) {
      const written = this.writer.acknowledge(delivered.map(({ id }) => id));
      this.hurryIfAwaited();
      await written;
      for (const row of delivered) {
        this.unwritten.delete(row.id);
        this.listener.delivered(row);
      }
    }
    for (const { row, reason } of entries) {
      if (reason === null) continue;
      await this.writer.quarantine([row.id], reason);
      this.unwritten.delete(row.id);
      this.listener.setAside(row, reason);
    }
  }
}
