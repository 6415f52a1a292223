/**
 * How long to wait before the next attempt to connect. Each kind of trouble has delays of its own that grow from attempt
 * to attempt; only a session that stood for a while makes them short again, since a good CONNACK alone proves nothing
 * (two rivals with one token both get one every time).
 */
import type { BridgeError, ErrorCode } from '../../core/errors.ts';
import { delays, type RetryPolicy } from '../../runtime/retry.ts';

export interface BackoffPolicies {
  readonly ordinary: RetryPolicy;
  /** The server will say no again: do not hammer it. */
  readonly refused: RetryPolicy;
  readonly conflict: RetryPolicy;
}

const forEver = { shape: 'exponential', attempts: Number.POSITIVE_INFINITY, jitter: 'full' } as const;

export const DEFAULT_BACKOFF: BackoffPolicies = {
  ordinary: { ...forEver, base: 1_000, max: 60_000 },
  refused: { ...forEver, base: 30_000, max: 600_000 },
  conflict: { ...forEver, base: 2_000, max: 60_000 },
};

/** How long a session has to stand for its end to be a new beginning, milliseconds. */
export const STABLE_MS = 30_000;

const KIND: Partial<Record<ErrorCode, keyof BackoffPolicies>> = {
  MQTT_CREDENTIALS: 'refused',
  MQTT_PROTOCOL_REFUSED: 'refused',
  MQTT_CONFLICT: 'conflict',
};

export class Backoff {
  private readonly policies: BackoffPolicies;
  private readonly random: () => number;
  private readonly waits = new Map<keyof BackoffPolicies, Generator<number, undefined>>();

  constructor(policies: BackoffPolicies, random: () => number) {
    this.policies = policies;
    this.random = random;
  }

  /** Milliseconds to wait after a session or attempt that ended with `error`, having stood for `stoodMs`. */
  after(error: BridgeError, stoodMs: number): number {
    if (stoodMs >= STABLE_MS) this.reset();
    const kind = KIND[error.code] ?? 'ordinary';
    const waits = this.waits.get(kind) ?? delays(this.policies[kind], this.random);
    this.waits.set(kind, waits);
    return waits.next().value ?? this.policies[kind].max;
  }

  reset(): void {
    this.waits.clear();
  }
}
