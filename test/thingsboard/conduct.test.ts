/** The conduct towards the server: every mode against every kind of end. */
import { describe, expect, test } from 'vitest';
import { BridgeError, type ErrorCode } from '../../src/core/errors.ts';
import type { EndCause } from '../../src/thingsboard/conduct/classifier.ts';
import {
  afterEnd,
  afterStanding,
  type Conduct,
  isConflict,
  type Mode,
  NORMAL,
  type OnConflict,
  planOf,
  waitAfterTurn,
} from '../../src/thingsboard/conduct/conduct.ts';
import type { SessionEnd } from '../../src/thingsboard/session/session-end.ts';

function end(fields: Partial<Omit<SessionEnd, 'error'>> & { readonly code?: ErrorCode } = {}): SessionEnd {
  const { code = 'MQTT_CLOSED', ...more } = fields;
  const error = new BridgeError(code, 'as it came');
  return { at: 1000, stoodMs: 1500, error, inFlight: 0, refusedWith: null, witness: null, ...more };
}

const judged = (cause: EndCause) => ({ cause, evidence: '' });
const CAUSES: readonly EndCause[] = [
  'stopped',
  'conflict',
  'credentials',
  'protocol',
  'rate-limit',
  'payload-rejected',
  'own-time-out',
  'server-down',
  'server-restart',
  'network',
  'unexplained',
];
const WARY: Conduct = { ...NORMAL, mode: 'wary', closes: 1, silentMs: 3000 };
const TURNS: Conduct = { ...NORMAL, mode: 'turns', turnMs: 800, lingeredAt: 0 };
const PATIENT: Conduct = { ...NORMAL, mode: 'patient' };

describe('the mode after an end, for every mode, cause and policy', () => {
  const expected = (from: Mode, cause: EndCause, policy: OnConflict): Mode => {
    if (from === 'turns') return 'turns';
    if (cause === 'conflict') return policy === 'turns' ? 'turns' : 'patient';
    if (from === 'patient') return 'patient';
    return cause === 'unexplained' || cause === 'payload-rejected' ? 'wary' : 'normal';
  };
  for (const from of [NORMAL, WARY, TURNS, PATIENT]) {
    for (const policy of ['turns', 'wait'] as const) {
      test.each(CAUSES)(`${from.mode}, ${policy}: %s`, (cause) => {
        expect(afterEnd(from, end(), judged(cause), policy).mode).toBe(expected(from.mode, cause, policy));
      });
    }
  }
  test('an attempt that never stood makes nobody wary', () => {
    expect(afterEnd(NORMAL, end({ stoodMs: 0 }), judged('unexplained'), 'turns')).toEqual(NORMAL);
  });
  test('a session that has stood for a while ends everything', () => {
    expect(afterStanding()).toEqual(NORMAL);
    expect([NORMAL, WARY, TURNS, PATIENT].map(isConflict)).toEqual([false, false, true, true]);
  });
});

describe('wary', () => {
  const shortClose = (stoodMs: number): SessionEnd => end({ witness: 'alive', stoodMs });
  test('the first unexplained close asks for a witness only: nothing is held back', () => {
    const next = afterEnd(NORMAL, end(), judged('unexplained'), 'turns');
    expect(planOf(next, 0)).toEqual({ witness: true, silentMs: 0, oneByOne: false, turnMs: null });
  });
  test('a close of just our session: the next is silent first, then one by one', () => {
    const next = afterEnd({ ...NORMAL, mode: 'wary' }, shortClose(1500), judged('unexplained'), 'turns');
    expect(planOf(next, 0)).toEqual({ witness: true, silentMs: 3000, oneByOne: true, turnMs: null });
  });
  test('the silence grows past the time after which the close came, within a bound', () => {
    let conduct = NORMAL;
    const silences = [1500, 8000, 8000, 8000].map((stoodMs) => {
      conduct = afterEnd(conduct, shortClose(stoodMs), judged('unexplained'), 'turns');
      return conduct.silentMs;
    });
    expect(silences).toEqual([3000, 12_000, 15_000, 15_000]);
  });
});

describe('turns', () => {
  test('begin shorter than the rival let us stand, within bounds', () => {
    const turnMs = (stoodMs: number): number => afterEnd(NORMAL, end({ stoodMs }), judged('conflict'), 'turns').turnMs;
    expect([10, 500, 1000, 60_000].map(turnMs)).toEqual([150, 350, 700, 800]);
  });
  test('one that we ended keeps its length; one that the rival ended was too long', () => {
    expect(afterEnd(TURNS, end({ code: 'STOPPING', stoodMs: 300 }), judged('stopped'), 'turns').turnMs).toBe(800);
    expect(afterEnd(TURNS, end({ stoodMs: 600 }), judged('unexplained'), 'turns').turnMs).toBe(420);
    expect(afterEnd(TURNS, end({ stoodMs: 0 }), judged('network'), 'turns').turnMs).toBe(800);
  });
  test('now and then one lingers, and the next does so only after a while again', () => {
    expect(planOf(TURNS, 29_999).turnMs).toBe(800);
    expect(planOf(TURNS, 30_000).turnMs).toBeNull();
    const next = afterEnd(TURNS, end({ at: 31_500, stoodMs: 1500 }), judged('unexplained'), 'turns');
    expect(next.lingeredAt).toBe(31_500);
    expect(planOf(next, 40_000).turnMs).not.toBeNull();
  });
  test('the waits between them leave the rival alone, shorter while rows are left', () => {
    expect([0, 0.999].map((random) => waitAfterTurn(false, () => random))).toEqual([5000, 14_990]);
    expect([0, 0.999].map((random) => waitAfterTurn(true, () => random))).toEqual([1500, 3997]);
  });
});
