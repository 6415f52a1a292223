/** Progress of what takes more than a second, on a terminal's stderr: one line, which goes when it is done. */
import { systemClock } from '../../runtime/clock.ts';
import type { Context } from '../context.ts';

export interface Progress {
  show(text: string): void;
  end(): void;
}

const QUIET_MS = 1000;

export function showProgress({ json }: Pick<Context, 'json'>): Progress {
  const visible = !json && process.stderr.isTTY === true;
  const began = systemClock.monotonic();
  let shown = false;
  return {
    show(text) {
      if (!visible || systemClock.monotonic() - began < QUIET_MS) return;
      shown = true;
      process.stderr.write(`\r\x1b[K${text}`);
    },
    end() {
      if (shown) process.stderr.write('\r\x1b[K');
    },
  };
}
