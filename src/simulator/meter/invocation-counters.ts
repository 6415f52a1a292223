/** Invocation counters of one key, both directions (Green Book 9.2.3.3.7.3): what the meter sends rises, what it takes must rise. */

export class InvocationCounters {
  private next: number;
  private last: number;
  private beforeLast: number;

  /** The first counter to send, and the last one that was taken of a client; -1 when there was none yet. */
  constructor(next = 0, last = -1) {
    this.next = next;
    this.last = last;
    this.beforeLast = last;
  }

  /** A counter that was never sent before. */
  take(): number {
    const counter = this.next;
    this.next += 1;
    return counter;
  }

  /** Keeps a counter of a client, if it is higher than all before it. */
  accept(counter: number): boolean {
    if (counter <= this.last) return false;
    this.beforeLast = this.last;
    this.last = counter;
    return true;
  }

  /** The same for a counter inside of the message accepted last: a client may take either of the two first. */
  acceptEnclosed(counter: number): boolean {
    return (counter > this.beforeLast && counter < this.last) || this.accept(counter);
  }

  /** What object 0.0.43.1.0.255 shows: the last counter taken, 0 before the first. */
  get lastAccepted(): number {
    return Math.max(0, this.last);
  }

  /** The lowest counter that will be taken. */
  get expected(): number {
    return this.last + 1;
  }
}
