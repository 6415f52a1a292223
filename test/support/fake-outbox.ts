/** An outbox in memory: the reader and writer ports of the store, with failures on demand. */
import type { BridgeError } from '../../src/core/errors.ts';
import type {
  ConnectionDepth,
  OutboxDepth,
  OutboxReader,
  OutboxRow,
  StoredReading,
} from '../../src/store/local/types.ts';
import type { SettlementWriter } from '../../src/thingsboard/delivery/settlement.ts';

export class FakeOutbox implements OutboxReader, SettlementWriter {
  readonly rows = new Map<number, OutboxRow>();
  readonly quarantined = new Map<number, string>();
  /** Groups in which rows were acknowledged. */
  readonly acknowledged: (readonly number[])[] = [];
  /** Rejects every write with this while it is set. */
  writeFailure: BridgeError | null = null;
  /** Throws at every read while it is set. */
  readFailure: BridgeError | null = null;
  reads = 0;
  private nextId = 1;

  /** Commits a row and returns it. */
  add(readings: readonly StoredReading[], fields: Partial<OutboxRow> = {}): OutboxRow {
    const id = fields.id ?? this.nextId;
    this.nextId = Math.max(this.nextId, id + 1);
    const row = { id, connectionId: 1, device: 'house1', cycleId: `cycle-${id}`, createdAt: 0, readings, ...fields };
    this.rows.set(id, row);
    return row;
  }

  pending(connectionId: number, afterId: number, limit: number): OutboxRow[] {
    this.reads += 1;
    if (this.readFailure !== null) throw this.readFailure;
    return [...this.rows.values()]
      .filter((row) => row.connectionId === connectionId && row.id > afterId && !this.quarantined.has(row.id))
      .sort((a, b) => a.id - b.id)
      .slice(0, limit);
  }

  newest(connectionId: number): number {
    return this.pending(connectionId, 0, Number.POSITIVE_INFINITY).at(-1)?.id ?? 0;
  }

  depth(): OutboxDepth {
    const rows = this.rows.size - this.quarantined.size;
    return { rows, oldest: rows === 0 ? null : 0, bytes: 0, quarantined: this.quarantined.size };
  }

  depths(): readonly ConnectionDepth[] {
    return [{ ...this.depth(), connectionId: 1, drops: null }];
  }

  depthOf(connectionId: number): number {
    return this.pending(connectionId, 0, Number.POSITIVE_INFINITY).length;
  }

  async acknowledge(rowIds: readonly number[]): Promise<void> {
    await Promise.resolve();
    if (this.writeFailure !== null) throw this.writeFailure;
    this.acknowledged.push(rowIds);
    for (const id of rowIds) this.rows.delete(id);
  }

  /** Everything is written at once anyway. */
  hurry(): void {}

  async quarantine(rowIds: readonly number[], reason: string): Promise<void> {
    await Promise.resolve();
    if (this.writeFailure !== null) throw this.writeFailure;
    for (const id of rowIds) this.quarantined.set(id, reason);
  }
}

export function numberReading(key: string, ts: number, text: string): StoredReading {
  return { key, ts, type: 'number', text, quality: 'good' };
}

export function stringReading(key: string, ts: number, text: string): StoredReading {
  return { key, ts, type: 'string', text, quality: 'good' };
}
