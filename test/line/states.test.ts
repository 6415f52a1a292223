/** Every pair of the table, by its rules rather than by a copy of it. */
import { describe, expect, test } from 'vitest';
import {
  CONNECTION_INPUTS,
  CONNECTION_STATES,
  CONNECTION_TRANSITIONS,
  type ConnectionInput,
  type ConnectionState,
} from '../../src/line/states.ts';

const pairs = CONNECTION_STATES.flatMap((state) => CONNECTION_INPUTS.map((input) => [state, input] as const));

function ruled(state: ConnectionState, input: ConnectionInput): ConnectionState {
  if (input === 'answered') return 'connected';
  if (input === 'suspend') return 'suspended';
  if (input === 'resume') return state === 'suspended' ? 'disconnected' : state;
  // Nothing but an answer or a resumption ends a suspension.
  if (state === 'suspended') return 'suspended';
  if (input === 'failed') return 'error';
  if (input === 'attempt') return state === 'connected' ? 'connected' : 'connecting';
  // Lost or ended: an error stays an error, an attempt under way says itself how it ends.
  if (state === 'error') return 'error';
  return state === 'connecting' && input === 'lost' ? 'connecting' : 'disconnected';
}

describe('transitions', () => {
  test('the table has every state and every input', () => {
    expect(Object.keys(CONNECTION_TRANSITIONS).toSorted()).toEqual([...CONNECTION_STATES].toSorted());
    for (const row of Object.values(CONNECTION_TRANSITIONS)) {
      expect(Object.keys(row).toSorted()).toEqual([...CONNECTION_INPUTS].toSorted());
    }
  });

  test.each(pairs)('%s, %s', (state, input) => {
    expect(CONNECTION_TRANSITIONS[state][input]).toBe(ruled(state, input));
  });

  test('every state can be reached from every other', () => {
    for (const from of CONNECTION_STATES) {
      const reached = new Set<ConnectionState>([from]);
      for (const state of reached)
        for (const input of CONNECTION_INPUTS) reached.add(CONNECTION_TRANSITIONS[state][input]);
      expect(reached.size).toBe(CONNECTION_STATES.length);
    }
  });
});
