/**
 * Waiting for something that real sockets or processes bring about, without sleeping: the event loop turns until the
 * condition holds. A clock given is moved along, so that virtual timers do not stand in the way.
 */
import { performance } from 'node:perf_hooks';
import type { VirtualClock } from '../../src/runtime/clock.ts';

export interface UntilOptions {
  readonly clock?: VirtualClock;
  /** Virtual milliseconds per turn. */
  readonly stepMs?: number;
  /** Real milliseconds after which it is given up. */
  readonly withinMs?: number;
}

export async function until(what: string, condition: () => boolean, options: UntilOptions = {}): Promise<void> {
  const { clock, stepMs = 10, withinMs = 10_000 } = options;
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await (clock === undefined ? new Promise((resolve) => setImmediate(resolve)) : clock.advance(stepMs));
  }
}

/** Lets I/O that is under way on loopback sockets arrive: used to show that something does not happen. */
export async function quiet(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
