/** Whether the host's clock is believed, and what is put right when it is. */
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { HostTime } from '../../src/runtime/host-time.ts';

const NOW = Date.UTC(2026, 5, 1, 12);

function hostTime(wall = NOW, synchronised: () => boolean | null = () => null) {
  const clock = new VirtualClock(wall);
  return { clock, time: new HostTime(clock, synchronised, 'p') };
}

describe('a clock that is not believed', () => {
  test('one that is right is believed at once', async () => {
    const { clock, time } = hostTime();
    await clock.advance(60_000);
    expect(time.doubt()).toBeNull();
    expect(time.now()).toBe(NOW + 60_000);
    expect(time.settled()).toEqual([]);
  });

  test('one that wakes up in 1970 goes on evenly, and one correction puts all of it right', async () => {
    const { clock, time } = hostTime(0);
    expect(time.doubt()).toBe('p.1');
    await clock.advance(30_000);
    const before = time.now();
    clock.stepWall(NOW);
    expect(time.now() - before).toBe(0);
    await clock.advance(5_000);
    expect(time.doubt()).toBe('p.1');
    const after = time.now();
    await clock.advance(5_000);
    expect(time.doubt()).toBeNull();
    expect(time.settled()).toEqual([{ doubt: 'p.1', correctionMs: NOW }]);
    expect(time.settled()).toEqual([]);
    expect(time.correctionOf('p.1')).toBe(NOW);
    expect([before, after].map((at) => at + NOW)).toEqual([NOW + 30_000, NOW + 35_000]);
    expect(time.now()).toBe(clock.now());
  });

  test.each([15_000, -3_600_000])(
    'a step of %i ms: readings wait for ten seconds, steps within them are corrected',
    async (step) => {
      const { clock, time } = hostTime();
      await clock.advance(1000);
      clock.stepWall(step);
      expect(time.doubt()).toBe('p.1');
      expect(time.now()).toBe(NOW + 1000 + step);
      await clock.advance(9_000);
      clock.stepWall(20_000);
      expect(time.doubt()).toBe('p.1');
      await clock.advance(10_000);
      expect(time.doubt()).toBeNull();
      expect(time.settled()).toEqual([{ doubt: 'p.1', correctionMs: 20_000 }]);
    },
  );

  test('slow corrections of the system are no steps', async () => {
    const { clock, time } = hostTime();
    for (let second = 0; second < 120; second += 1) {
      clock.stepWall(500);
      await clock.advance(1000);
      expect(time.doubt()).toBeNull();
    }
  });

  test('the time service is waited for, ten minutes at most', async () => {
    let synchronised = false;
    const { clock, time } = hostTime(NOW, () => synchronised);
    await clock.advance(599_000);
    expect(time.doubt()).toBe('p.1');
    await clock.advance(1000);
    expect(time.doubt()).toBeNull();
    const other = hostTime(NOW, () => synchronised);
    await other.clock.advance(1000);
    expect(other.time.doubt()).toBe('p.1');
    synchronised = true;
    expect(other.time.doubt()).toBeNull();
    expect(other.time.settled()).toEqual([{ doubt: 'p.1', correctionMs: 0 }]);
  });

  test('a second doubt has a name of its own', async () => {
    const { clock, time } = hostTime();
    for (const name of ['p.1', 'p.2']) {
      clock.stepWall(60_000);
      expect(time.doubt()).toBe(name);
      await clock.advance(10_000);
      expect(time.doubt()).toBeNull();
    }
    expect(time.settled().map(({ doubt }) => doubt)).toEqual(['p.1', 'p.2']);
  });
});
