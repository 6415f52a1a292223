/**
 * May this host's clock be believed? A small computer without a battery-backed clock wakes up in 1970 and is set minutes
 * later; an operator sets it by hand. While there is doubt, `now` goes on evenly from where the doubt began, so that all
 * that was stamped in it is put right by one and the same correction when it is over.
 *
 * In doubt: before 2024; not synchronised as the system's time service says (for at most ten minutes, since there may be
 * no network at all); for ten seconds after a step of ten seconds or more against monotonic time.
 */
import type { Clock } from './clock.ts';

const EARLIEST = Date.UTC(2024, 0, 1);
const STEP_MS = 10_000;
const SETTLE_MS = 10_000;
const WAIT_FOR_SERVICE_MS = 600_000;

/** The doubt is over. */
export interface Settled {
  readonly doubt: string;
  /** To be added to what was stamped in it, milliseconds. */
  readonly correctionMs: number;
}

interface Doubt {
  readonly name: string;
  /** In words. */
  readonly why: string;
  /** Wall clock less monotonic time that `now` goes by. */
  readonly offset: number;
}

export class HostTime {
  private readonly clock: Clock;
  private readonly isSynchronised: () => boolean | null;
  private readonly process: string;
  private readonly startedAt: number;
  private readonly corrections = new Map<string, number>();
  private doubts = 0;
  private current: Doubt | null = null;
  private offset: number;
  private steppedAt = Number.NEGATIVE_INFINITY;
  private stepMs = 0;

  /** `isSynchronised`: null where no service tells. `process`: tells the doubts of this process from those of others. */
  constructor(clock: Clock, isSynchronised: () => boolean | null, process: string) {
    this.clock = clock;
    this.isSynchronised = isSynchronised;
    this.process = process;
    this.startedAt = clock.monotonic();
    this.offset = clock.now() - clock.monotonic();
    this.look();
  }

  /** Milliseconds UTC, as sure as it can be. */
  now(): number {
    this.look();
    return this.current === null ? this.clock.now() : Math.round(this.clock.monotonic() + this.current.offset);
  }

  /** The name of the doubt there is; null while the clock is believed. */
  doubt(): string | null {
    this.look();
    return this.current?.name ?? null;
  }

  /** In words, why the doubt there is began; null while the clock is believed. */
  why(): string | null {
    this.look();
    return this.current?.why ?? null;
  }

  /** What is to be added to times that were stamped in a doubt that is over; null while it lasts. */
  correctionOf(doubt: string): number | null {
    return this.corrections.get(doubt) ?? null;
  }

  /** The doubts that are over and were not asked for before. */
  settled(): readonly Settled[] {
    this.look();
    const settled = [...this.corrections].slice(this.told).map(([doubt, correctionMs]) => ({ doubt, correctionMs }));
    this.told = this.corrections.size;
    return settled;
  }
  private told = 0;

  private look(): void {
    const { clock } = this;
    const offset = clock.now() - clock.monotonic();
    if (Math.abs(offset - this.offset) >= STEP_MS) {
      this.steppedAt = clock.monotonic();
      this.stepMs = offset - this.offset;
    }
    this.offset = offset;
    const why = this.reason();
    if (why !== null) this.current ??= this.newDoubt(why, offset);
    else if (this.current !== null) {
      this.corrections.set(this.current.name, Math.round(offset - this.current.offset));
      this.current = null;
    }
  }

  private newDoubt(why: string, offset: number): Doubt {
    this.doubts += 1;
    return { name: `${this.process}.${this.doubts}`, why, offset };
  }

  /** Why the clock cannot be believed now; null when it can. */
  private reason(): string | null {
    const { clock } = this;
    const now = clock.monotonic();
    if (clock.now() < EARLIEST) return `it shows ${new Date(clock.now()).toISOString()}`;
    if (now - this.steppedAt < SETTLE_MS) return `it stepped by ${Math.round(this.stepMs / 1000)} s`;
    const isAwaited = now - this.startedAt < WAIT_FOR_SERVICE_MS && this.isSynchronised() === false;
    return isAwaited ? 'the time service of the system has not set it yet' : null;
  }
}
