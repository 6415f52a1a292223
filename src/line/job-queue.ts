/** Jobs of one line in the order in which they are to run: by priority, then by due time, then as they came. */

/** Smaller runs first. */
export const PRIORITY = { command: 0, poll: 1, backfill: 2 } as const;
export type Priority = keyof typeof PRIORITY;

export interface Queued {
  readonly priority: Priority;
  /** Milliseconds; among equals the oldest due runs first. */
  readonly due: number;
}

/** A binary heap; a line of 200 meters may hold a few hundred jobs. */
export class JobQueue<J extends Queued> {
  private readonly heap: { readonly job: J; readonly order: number }[] = [];
  private arrivals = 0;

  get length(): number {
    return this.heap.length;
  }

  push(job: J): void {
    this.heap.push({ job, order: this.arrivals });
    this.arrivals += 1;
    this.rise(this.heap.length - 1);
  }

  pop(): J | undefined {
    const top = this.heap[0];
    const last = this.heap.pop();
    if (top === undefined || last === undefined) return undefined;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink(0);
    }
    return top.job;
  }

  some(test: (job: J) => boolean): boolean {
    return this.heap.some(({ job }) => test(job));
  }

  /** Takes out every job. */
  clear(): J[] {
    return this.heap.splice(0).map(({ job }) => job);
  }

  private before(a: number, b: number): boolean {
    const left = this.heap[a];
    const right = this.heap[b];
    if (left === undefined || right === undefined) return false;
    return (
      (PRIORITY[left.job.priority] - PRIORITY[right.job.priority] ||
        left.job.due - right.job.due ||
        left.order - right.order) < 0
    );
  }

  private rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const child = this.before(left + 1, left) ? left + 1 : left;
      if (!this.before(child, at)) return;
      this.swap(at, child);
      at = child;
    }
  }

  private swap(a: number, b: number): void {
    const kept = this.heap[a];
    const other = this.heap[b];
    if (kept === undefined || other === undefined) return;
    this.heap[a] = other;
    this.heap[b] = kept;
  }
}
