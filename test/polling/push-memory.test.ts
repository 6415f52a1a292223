/** Neither a replayed push nor the same one twice: what is kept, and when it moves. */
import { describe, expect, test } from 'vitest';
import { PushMemory } from '../../src/polling/push-memory.ts';

const counter = (invocationCounter: number, verified = true) => ({ keyId: 'k', invocationCounter, verified });

function kept(memory: PushMemory, digest: string, at: number, value: ReturnType<typeof counter> | null) {
  const { facts, kept: move } = memory.after(digest, at, value);
  move();
  return new Map(facts.map(({ kind, json }) => [kind, json]));
}

describe('push memory', () => {
  test('counters have to rise, for each key by itself, over a restart too', () => {
    const memory = new PushMemory(new Map());
    expect(memory.replayed(counter(5))).toBeNull();
    const facts = kept(memory, 'a', 0, counter(5));
    for (const again of [memory, new PushMemory(facts)]) {
      expect(again.replayed(counter(5))).toMatchObject({ code: 'REPLAYED' });
      expect(again.replayed(counter(4))).toMatchObject({ code: 'REPLAYED' });
      expect(again.replayed(counter(6))).toBeNull();
      expect(again.replayed({ ...counter(1), keyId: 'other' })).toBeNull();
      expect(again.replayed(null)).toBeNull();
    }
  });

  test('a counter that nothing vouches for moves nothing, and neither does one that was not committed', () => {
    const memory = new PushMemory(new Map());
    kept(memory, 'a', 0, counter(4_000_000_000, false));
    memory.after('b', 0, counter(900));
    expect(memory.replayed(counter(1))).toBeNull();
  });

  test('the same push again: by its time for ever, without one only where it is confirmed, for a while', () => {
    const memory = new PushMemory(kept(new PushMemory(new Map()), 'a', 1000, null));
    expect(memory.isRepeated('a', 9_999_999, true, false)).toBe(true);
    expect(memory.isRepeated('a', 2000, false, true)).toBe(true);
    expect(memory.isRepeated('a', 2_000_000, false, true)).toBe(false);
    expect(memory.isRepeated('a', 2000, false, false)).toBe(false);
    expect(memory.isRepeated('b', 2000, true, true)).toBe(false);
  });

  test('it is bounded', () => {
    const memory = new PushMemory(new Map());
    let facts = new Map<string, string>();
    for (let index = 0; index < 200; index += 1) facts = kept(memory, `digest ${index}`, index, counter(index));
    expect(JSON.parse(facts.get('push-seen') ?? '[]')).toHaveLength(32);
  });
});
