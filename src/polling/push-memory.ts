/**
 * What is kept of a meter's pushes so that none counts twice: the last invocation counter that was received under each
 * key (Green Book 9.2.3.3.7.3), and which notifications were stored lately. It is kept with the readings, in one
 * transaction: a push that was not committed is as if it had never come.
 */
import { createHash } from 'node:crypto';
import { BridgeError } from '../core/errors.ts';
import type { PushContent } from '../dlms/push/receiver.ts';
import type { LearnedFact } from '../meter/knowledge.ts';
import { PUSH_COUNTERS, PUSH_SEEN } from '../store/fleet/learned.ts';

/** How a push was protected, as far as a replay is judged by it. */
export interface PushCounter {
  /** Names key and system title without telling them. */
  readonly keyId: string;
  readonly invocationCounter: number;
  /** Anybody can forge a counter that no tag vouches for: it moves nothing. */
  readonly verified: boolean;
}

/** Meters repeat the last notification, or the last few. */
const MOST_SEEN = 32;
/** Without a time in it a notification is told from an equal one by when it comes. */
const REPEATS_WITHIN_MS = 600_000;

interface Seen {
  readonly digest: string;
  readonly at: number;
}

export class PushMemory {
  private counters: Readonly<Record<string, number>>;
  private seen: readonly Seen[];

  /** From what is kept of the meter. */
  constructor(learned: ReadonlyMap<string, string>) {
    this.counters = JSON.parse(learned.get(PUSH_COUNTERS) ?? '{}') as Readonly<Record<string, number>>;
    this.seen = JSON.parse(learned.get(PUSH_SEEN) ?? '[]') as readonly Seen[];
  }

  /** Whether this very notification was stored already. `isTimed`: its values have a time of their own. */
  isRepeated(digest: string, at: number, isTimed: boolean, isConfirmed: boolean): boolean {
    const found = this.seen.find((one) => one.digest === digest);
    if (found === undefined) return false;
    // A meter whose notifications have neither time nor number may well send the same values again.
    return isTimed || (isConfirmed && Math.abs(at - found.at) < REPEATS_WITHIN_MS);
  }

  /** REPLAYED when the counter did not rise. */
  replayed(counter: PushCounter | null): BridgeError | null {
    const last = counter === null ? undefined : this.counters[counter.keyId];
    if (counter === null || last === undefined || counter.invocationCounter > last) return null;
    const message = `push with invocation counter ${counter.invocationCounter}, ${last} was received`;
    return new BridgeError('REPLAYED', message, { facts: { received: counter.invocationCounter, last } });
  }

  /** To be kept with the readings of a push that is accepted; `kept` is to be called when it is. */
  after(
    digest: string,
    at: number,
    counter: PushCounter | null,
  ): { readonly facts: readonly LearnedFact[]; kept(): void } {
    const seen = [...this.seen.filter((one) => one.digest !== digest), { digest, at }].slice(-MOST_SEEN);
    const moves = counter?.verified === true;
    const counters = moves ? { ...this.counters, [counter.keyId]: counter.invocationCounter } : this.counters;
    return {
      facts: [
        { kind: PUSH_SEEN, json: JSON.stringify(seen) },
        ...(moves ? [{ kind: PUSH_COUNTERS, json: JSON.stringify(counters) }] : []),
      ],
      kept: () => {
        this.seen = seen;
        this.counters = counters;
      },
    };
  }
}

/** Another digest for another notification: its numbers, its time and what it says. */
export function digestOf(content: PushContent): string {
  const said = content.kind === 'telegram' ? content.octets : content.apdu;
  const text = JSON.stringify(said, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
