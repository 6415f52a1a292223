/**
 * Devices behind a gateway that are at a limit of their own, each with what was taken of it: it goes on by itself when
 * the pause is over, and its neighbours do not wait for it.
 */
import type { Clock, Timer } from '../../runtime/clock.ts';

/** Rows of a device that pauses for longer do not keep their place in what was read of the outbox. */
const SHORT_MS = 5000;

interface Pause<Item> {
  readonly timer: Timer;
  readonly isShort: boolean;
  readonly items: Item[];
}

export class Pauses<Item> {
  private readonly clock: Clock;
  private readonly onOver: (items: readonly Item[], isShort: boolean) => void;
  private readonly pauses = new Map<string, Pause<Item>>();

  /** `onOver` gets back what was given to `begin`. */
  constructor(clock: Clock, onOver: (items: readonly Item[], isShort: boolean) => void) {
    this.clock = clock;
    this.onOver = onOver;
  }

  /** What comes of a device that pauses already waits with the rest. */
  begin(device: string, ms: number, items: readonly Item[]): void {
    const pause = this.pauses.get(device) ?? this.newPause(device, ms);
    pause.items.push(...items);
  }

  private newPause(device: string, ms: number): Pause<Item> {
    const timer = this.clock.setTimer(ms, () => {
      this.pauses.delete(device);
      this.onOver(pause.items, pause.isShort);
    });
    const pause: Pause<Item> = { timer, isShort: ms <= SHORT_MS, items: [] };
    this.pauses.set(device, pause);
    return pause;
  }

  /** Ends the device's pause, if it has one, and gives back what waited. */
  end(device: string): readonly Item[] {
    const pause = this.pauses.get(device);
    pause?.timer.cancel();
    this.pauses.delete(device);
    return pause?.items ?? [];
  }

  /** How the device pauses; null: it does not. */
  of(device: string): 'shortly' | 'for long' | null {
    const pause = this.pauses.get(device);
    if (pause === undefined) return null;
    return pause.isShort ? 'shortly' : 'for long';
  }

  get size(): number {
    return this.pauses.size;
  }

  stop(): void {
    for (const device of [...this.pauses.keys()]) this.end(device);
  }
}
