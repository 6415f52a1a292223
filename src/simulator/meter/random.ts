/** Seeded numbers: the same seed gives the same meter, the same faults and the same bytes, on every machine. */

/** A generator of numbers in [0, 1). */
export type Random = () => number;

/** mulberry32: 32 bits of state, good enough for doubles that must be repeatable, not secret. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** One seed out of several numbers (FNV-1a over their octets), so that neighbours share nothing. */
export function seedOf(...parts: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    for (let shift = 0; shift < 32; shift += 8) {
      hash = Math.imul(hash ^ ((part >>> shift) & 0xff), 0x01000193);
    }
  }
  return hash >>> 0;
}

/** A number in [from, to). */
export function between(random: Random, from: number, to: number): number {
  return from + (to - from) * random();
}

/** An integer in [from, to], both included. */
export function integerBetween(random: Random, from: number, to: number): number {
  return Math.floor(between(random, from, to + 1));
}

export function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => integerBetween(random, 0, 255));
}
