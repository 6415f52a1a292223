/** Alerts: every state against every observation, hysteresis and waits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACTIVE, type AlertState, evaluate, type Observed, QUIET } from '../../src/alert/evaluate.ts';
import { ALERT_RULES, type AlertRule, isAlertCode } from '../../src/alert/rules.ts';

const RULE: AlertRule = {
  severity: 'major',
  limit: { kind: 'state' },
  raiseAfterMs: 1000,
  clearAfterMs: 500,
  hint: 'do something',
};

describe('every state against every observation', () => {
  const pending: AlertState = { active: false, changingSince: 0 };
  const clearing: AlertState = { active: true, changingSince: 0 };
  const cases: readonly [string, AlertState, Observed, number, AlertState, 'raised' | 'cleared' | null][] = [
    ['quiet, does not hold', QUIET, false, 5000, QUIET, null],
    ['quiet, holds', QUIET, true, 5000, { active: false, changingSince: 5000 }, null],
    ['quiet, not known', QUIET, null, 5000, QUIET, null],
    ['pending, holds, too short', pending, true, 999, pending, null],
    ['pending, holds long enough', pending, true, 1000, ACTIVE, 'raised'],
    ['pending, does not hold any more', pending, false, 999, QUIET, null],
    ['pending, not known', pending, null, 5000, pending, null],
    ['active, holds', ACTIVE, true, 5000, ACTIVE, null],
    ['active, does not hold', ACTIVE, false, 5000, { active: true, changingSince: 5000 }, null],
    ['active, not known', ACTIVE, null, 5000, ACTIVE, null],
    ['clearing, too short', clearing, false, 499, clearing, null],
    ['clearing, long enough', clearing, false, 500, QUIET, 'cleared'],
    ['clearing, holds again', clearing, true, 499, ACTIVE, null],
  ];
  test.each(cases)('%s', (_, previous, observed, now, state, change) => {
    expect(evaluate(RULE, previous, observed, now)).toEqual({ state, change });
  });
});

describe('limits', () => {
  const changes = (limit: AlertRule['limit'], values: readonly number[]): (string | null)[] => {
    let state = QUIET;
    return values.map((value, now) => {
      const next = evaluate({ ...RULE, limit, raiseAfterMs: 0, clearAfterMs: 0 }, state, value, now);
      state = next.state;
      return next.change;
    });
  };
  test('below, with hysteresis', () => {
    expect(changes({ kind: 'below', raise: 0.5, clear: 0.8 }, [0.5, 0.49, 0.7, 0.8, 0.81, 0.6])).toEqual([
      null,
      'raised',
      null,
      null,
      'cleared',
      null,
    ]);
  });
  test('above, with hysteresis', () => {
    expect(changes({ kind: 'above', raise: 600, clear: 60 }, [600, 601, 61, 60, 59, 300])).toEqual([
      null,
      'raised',
      null,
      null,
      'cleared',
      null,
    ]);
  });
  test('one that counts clears at none', () => {
    expect(changes(ALERT_RULES.READINGS_QUARANTINED.limit, [0, 1, 2, 0])).toEqual([null, 'raised', null, 'cleared']);
  });
});

test('raised and cleared take turns, whatever is observed', () => {
  const observed = fc.oneof(fc.boolean(), fc.constant(null));
  fc.assert(
    fc.property(fc.array(fc.tuple(observed, fc.nat(3000))), (steps) => {
      let state = QUIET;
      let now = 0;
      let last: string = 'cleared';
      for (const [value, wait] of steps) {
        now += wait;
        const next = evaluate(RULE, state, value, now);
        state = next.state;
        if (next.change === null) continue;
        expect(next.change).not.toBe(last);
        last = next.change;
      }
    }),
  );
});

test('codes are known by their names', () => {
  expect(isAlertCode('TOKEN_CONFLICT')).toBe(true);
  expect(isAlertCode('toString')).toBe(false);
});
