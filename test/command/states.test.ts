/** The life of a command: every state, event and whether it acts. */
import { expect, test } from 'vitest';
import { type CommandEvent, isOver, nextState, TRANSITIONS } from '../../src/command/states.ts';
import type { CommandState } from '../../src/store/local/commands.ts';

const STATES: readonly CommandState[] = ['queued', 'running', 'done', 'failed', 'expired', 'cancelled'];
const EVENTS = Object.keys(TRANSITIONS) as CommandEvent[];

/** `state event` -> where it leads; an exclamation mark: not while it acts. What is not here changes nothing. */
const EXPECTED: Readonly<Record<string, string>> = {
  'queued begin': 'running!',
  'queued fail': 'failed',
  'queued deadline': 'expired!',
  'queued cancel': 'cancelled!',
  'running succeed': 'done',
  'running fail': 'failed',
  'running deadline': 'expired!',
  'running cancel': 'cancelled!',
  'running lose': 'failed',
};

test('every transition', () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const expected = EXPECTED[`${state} ${event}`];
      const to = expected?.replace('!', '') ?? state;
      expect([state, event, nextState(state, event, false)]).toEqual([state, event, to]);
      const whileActing = expected?.endsWith('!') ? state : to;
      expect([state, event, nextState(state, event, true)]).toEqual([state, event, whileActing]);
    }
  }
});

test('what is over stays over', () => {
  for (const state of STATES.filter(isOver)) {
    for (const event of EVENTS) expect(nextState(state, event, false)).toBe(state);
  }
  expect(STATES.filter((state) => !isOver(state))).toEqual(['queued', 'running']);
});
