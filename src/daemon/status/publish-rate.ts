/**
 * The publish rate: of the cycles that committed at least one reading, the share whose rows are all acknowledged.
 * Cycles younger than 10 s are left out, so that a message under way is not a failure (ARCHITECTURE, Words).
 */

/** How long a cycle has before it counts against the rate, milliseconds. */
export const GRACE_MS = 10_000;

interface OpenCycle {
  readonly committedAt: number;
  readonly bucket: Bucket;
  rowsLeft: number;
}

/** Cycles that were committed within the same few seconds. */
interface Bucket {
  readonly startedAt: number;
  committed: number;
  delivered: number;
}

const BUCKET_MS = 5000;
/** The sliding window: so long, or longer until it holds enough cycles to judge by. */
const WINDOW_MS = 60_000;
const LONGEST_WINDOW_MS = 3_600_000;

export interface PublishRateCounts {
  readonly cycles: number;
  readonly delivered: number;
  /** 0 to 1; null while no cycle counts yet. */
  readonly rate: number | null;
}

/** Counts the cycles of this process. Rows left from an earlier run are not cycles of this one. */
export class PublishRate {
  private readonly open = new Map<string, OpenCycle>();
  /** Oldest first. */
  private readonly buckets: Bucket[] = [];
  private committed = 0;
  private delivered = 0;

  committedCycle(cycleId: string, rows: number, at: number): void {
    this.committed += 1;
    const bucket = this.bucketAt(at);
    bucket.committed += 1;
    // Readings that no connection wants cannot fail to be delivered.
    if (rows === 0) this.count(bucket);
    else this.open.set(cycleId, { committedAt: at, bucket, rowsLeft: rows });
  }

  private bucketAt(at: number): Bucket {
    const last = this.buckets.at(-1);
    if (last !== undefined && at - last.startedAt < BUCKET_MS) return last;
    const fresh = { startedAt: at, committed: 0, delivered: 0 };
    this.buckets.push(fresh);
    while ((this.buckets[0]?.startedAt ?? at) < at - LONGEST_WINDOW_MS) this.buckets.shift();
    return fresh;
  }

  private count(bucket: Bucket): void {
    bucket.delivered += 1;
    this.delivered += 1;
  }

  deliveredRow(cycleId: string): void {
    const cycle = this.open.get(cycleId);
    if (cycle === undefined) return;
    cycle.rowsLeft -= 1;
    if (cycle.rowsLeft > 0) return;
    this.open.delete(cycleId);
    this.count(cycle.bucket);
  }

  /** The rate of the last minute, or of a longer while where there were fewer cycles than `enough`; null without so many. */
  recent(now: number, enough: number): number | null {
    let committed = 0;
    let delivered = 0;
    for (const bucket of this.buckets.toReversed()) {
      const age = now - bucket.startedAt;
      // Whole buckets only: one with a young cycle in it waits.
      if (age < GRACE_MS + BUCKET_MS) continue;
      if (age > WINDOW_MS + GRACE_MS && committed >= enough) break;
      if (age > LONGEST_WINDOW_MS) break;
      committed += bucket.committed;
      delivered += bucket.delivered;
    }
    return committed < enough ? null : delivered / committed;
  }

  /** `now` on the clock of `committedCycle`'s `at`. */
  counts(now: number): PublishRateCounts {
    let young = 0;
    for (const { committedAt } of this.open.values()) if (now - committedAt < GRACE_MS) young += 1;
    const counted = this.committed - young;
    return { cycles: this.committed, delivered: this.delivered, rate: counted === 0 ? null : this.delivered / counted };
  }
}
