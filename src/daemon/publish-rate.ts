/**
 * The publish rate: of the cycles that committed at least one reading, the share whose rows are all acknowledged.
 * Cycles younger than 10 s are left out, so that a message under way is not a failure (ARCHITECTURE, Words).
 */

/** How long a cycle has before it counts against the rate, milliseconds. */
export const GRACE_MS = 10_000;

interface OpenCycle {
  readonly committedAt: number;
  rowsLeft: number;
}

export interface PublishRateCounts {
  readonly cycles: number;
  readonly delivered: number;
  /** 0 to 1; null while no cycle counts yet. */
  readonly rate: number | null;
}

/** Counts the cycles of this process. Rows left from an earlier run are not cycles of this one. */
export class PublishRate {
  private readonly open = new Map<string, OpenCycle>();
  private committed = 0;
  private delivered = 0;

  committedCycle(cycleId: string, rows: number, at: number): void {
    this.committed += 1;
    // Readings that no connection wants cannot fail to be delivered.
    if (rows === 0) this.delivered += 1;
    else this.open.set(cycleId, { committedAt: at, rowsLeft: rows });
  }

  deliveredRow(cycleId: string): void {
    const cycle = this.open.get(cycleId);
    if (cycle === undefined) return;
    cycle.rowsLeft -= 1;
    if (cycle.rowsLeft > 0) return;
    this.open.delete(cycleId);
    this.delivered += 1;
  }

  /** `now` on the clock of `committedCycle`'s `at`. */
  counts(now: number): PublishRateCounts {
    let young = 0;
    for (const { committedAt } of this.open.values()) if (now - committedAt < GRACE_MS) young += 1;
    const counted = this.committed - young;
    return { cycles: this.committed, delivered: this.delivered, rate: counted === 0 ? null : this.delivered / counted };
  }
}
