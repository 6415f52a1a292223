/**
 * Devices that the server would not take a message for just now. One device's trouble (it may not be created, its
 * profile is over a limit) must not hold up the others behind the same gateway: it waits by itself, with a back-off.
 */
import type { Clock, Timer } from '../../runtime/clock.ts';
import { delays, type RetryPolicy } from '../../runtime/retry.ts';

interface Hold {
  readonly waits: Generator<number, undefined>;
  timer: Timer | null;
}

export class Holds {
  private readonly clock: Clock;
  private readonly policy: RetryPolicy;
  private readonly random: () => number;
  private readonly onReleased: () => void;
  private readonly holds = new Map<string, Hold>();

  /** `onReleased`: a device's time is over, its rows may be tried again. */
  constructor(clock: Clock, policy: RetryPolicy, random: () => number, onReleased: () => void) {
    this.clock = clock;
    this.policy = policy;
    this.random = random;
    this.onReleased = onReleased;
  }

  /** Lets the device wait, longer each time in a row. A device that waits already is left as it is. */
  hold(device: string): void {
    const hold = this.holds.get(device) ?? { waits: delays(this.policy, this.random), timer: null };
    this.holds.set(device, hold);
    hold.timer ??= this.clock.setTimer(hold.waits.next().value ?? this.policy.max, () => {
      hold.timer = null;
      this.onReleased();
    });
  }

  isHeld(device: string): boolean {
    return this.holds.get(device)?.timer != null;
  }

  /** A message of the device was taken: the next trouble begins with a short wait again. */
  clear(device: string): void {
    this.holds.get(device)?.timer?.cancel();
    this.holds.delete(device);
  }

  stop(): void {
    for (const device of [...this.holds.keys()]) this.clear(device);
  }
}
