/** Listens to a transport and lets a test wait for what comes. */
import { concat, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import type { TransportEvents } from '../../src/transport/transport.ts';

export class Recorder implements TransportEvents {
  readonly portions: Uint8Array[] = [];
  readonly reasons: BridgeError[] = [];
  private waiting: (() => void)[] = [];

  data(bytes: Uint8Array): void {
    this.portions.push(bytes.slice());
    this.wake();
  }
  closed(reason: BridgeError): void {
    this.reasons.push(reason);
    this.wake();
  }

  get hex(): string {
    return toHex(concat(this.portions));
  }

  /** Resolves when so many octets are there. */
  octets(count: number): Promise<string> {
    return this.until(() => this.hex.length >= 2 * count).then(() => this.hex);
  }
  /** Resolves with the code when the line is gone. */
  gone(): Promise<string> {
    return this.until(() => this.reasons.length > 0).then(() => this.reasons.map(({ code }) => code).join());
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** The code with which a promise is rejected. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'no error';
}
