/**
 * A rate of our own, for limits that nobody told: a session that ended at a rate limit halves what went through lately,
 * then it grows again step by step, until it limits nothing any more. Pure; `now` is monotonic, milliseconds.
 */
import { RateBudget } from './rate-budget.ts';

const LOOK_BACK_MS = 10_000;
const STEP_MS = 10_000;
const STEP = 1.25;
const SLOWEST_PER_SECOND = 0.2;
/** A limit that we have not met for so long is forgotten. */
const FORGET_MS = 600_000;

export class Pace {
  /** Messages by second. */
  private readonly sent = new Map<number, number>();
  private perSecond: number | null = null;
  private budget = new RateBudget([], 0);
  private hitAt = 0;
  private changedAt = 0;

  /** Messages per second at present, null for no limit. */
  get limit(): number | null {
    return this.perSecond;
  }

  /** The server ended a session at a rate limit. */
  hit(now: number): void {
    const lately = this.lately(now);
    const through = this.perSecond === null ? lately : Math.min(this.perSecond, Math.max(lately, this.perSecond / 2));
    this.hitAt = now;
    this.change(Math.max(SLOWEST_PER_SECOND, through / 2), now);
  }

  /** Messages per second since the first of the last seconds. */
  private lately(now: number): number {
    let count = 0;
    let since = now;
    for (const [second, messages] of this.sent) {
      if (second * 1000 <= now - LOOK_BACK_MS) continue;
      count += messages;
      since = Math.min(since, second * 1000);
    }
    return count / Math.max(1, (now - since) / 1000);
  }

  private change(perSecond: number | null, now: number): void {
    this.perSecond = perSecond;
    this.changedAt = now;
    this.budget = new RateBudget(
      perSecond === null ? [] : [{ capacity: Math.max(1, perSecond), seconds: Math.max(1, perSecond) / perSecond }],
      now,
    );
    // A change is no new burst.
    if (perSecond !== null) this.budget.take(Math.max(1, perSecond) - 1, now);
  }

  wait(messages: number, now: number): number {
    this.grow(now);
    return this.budget.wait(messages, now);
  }

  take(messages: number, now: number): void {
    this.budget.take(messages, now);
    const second = Math.floor(now / 1000);
    this.sent.set(second, (this.sent.get(second) ?? 0) + messages);
    for (const old of this.sent.keys()) {
      if (old * 1000 > now - LOOK_BACK_MS) break;
      this.sent.delete(old);
    }
  }

  private grow(now: number): void {
    if (this.perSecond === null || now - this.changedAt < STEP_MS) return;
    this.change(now - this.hitAt >= FORGET_MS ? null : this.perSecond * STEP, now);
  }
}
