/** Two ends of a serial line in memory: octets take their time, and one frame leaves after the other. */
import type { Clock } from '../../src/runtime/clock.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Transport } from '../../src/transport/transport.ts';

/** Start, data and stop bits. */
const BITS_PER_CHARACTER = 10;

export interface PacedLine {
  readonly ours: Transport;
  readonly theirs: Transport;
  /** Milliseconds for which octets were on the line, in either direction. */
  busyMs(): number;
}

export function pacedPair(clock: Clock, baudRate: number): PacedLine {
  let busyMs = 0;
  const paced = (inner: Transport): Transport => {
    let freeAt = Number.NEGATIVE_INFINITY;
    return {
      description: `${inner.description} at ${baudRate}`,
      open: (events) => inner.open(events),
      async write(bytes) {
        const takesMs = (bytes.length * BITS_PER_CHARACTER * 1000) / baudRate;
        busyMs += takesMs;
        freeAt = Math.max(freeAt, clock.monotonic()) + takesMs;
        const copy = bytes.slice();
        // A line that was closed meanwhile has nobody to hear it.
        clock.setTimer(freeAt - clock.monotonic(), () => void inner.write(copy).catch(() => undefined));
      },
      close: () => inner.close(),
    };
  };
  const [ours, theirs] = memoryPair();
  return { ours: paced(ours), theirs: paced(theirs), busyMs: () => busyMs };
}
