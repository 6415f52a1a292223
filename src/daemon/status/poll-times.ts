/** The latest poll durations, for averages and percentiles. */

const KEPT = 1000;

export class PollTimes {
  private readonly recent: number[] = [];
  private next = 0;

  add(ms: number): void {
    if (this.recent.length < KEPT) this.recent.push(ms);
    else this.recent[this.next % KEPT] = ms;
    this.next += 1;
  }

  /** Milliseconds over the last 1000 polls; null while there is none. */
  summary(): {
    readonly avgMs: number | null;
    readonly p50Ms: number | null;
    readonly p95Ms: number | null;
    readonly p99Ms: number | null;
  } {
    if (this.recent.length === 0) return { avgMs: null, p50Ms: null, p95Ms: null, p99Ms: null };
    const sorted = this.recent.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
    const sum = sorted.reduce((total, ms) => total + ms, 0);
    return { avgMs: rounded(sum / sorted.length), p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
