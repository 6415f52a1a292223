/**
 * The life of a command, as a table.
 *
 *   queued --begin--> running --succeed--> done
 *      |                 |----fail, lose-> failed
 *      |---fail--------------------------> failed
 *      |---deadline------|---------------> expired
 *      |---cancel--------|---------------> cancelled
 *
 * It is `running` from its first turn on the meter's line, journalled before it acts. Once it acts on the meter (a SET or
 * ACTION is about to be sent) neither a deadline nor its user ends it: what came of it has to be told. What was running
 * when the daemon died (`lose`) is never begun again.
 */
import type { CommandState } from '../store/local/commands.ts';

export type CommandEvent = 'begin' | 'succeed' | 'fail' | 'deadline' | 'cancel' | 'lose';

interface Transition {
  readonly from: readonly CommandState[];
  readonly to: CommandState;
  /** Whether it holds for a command that acts on the meter at this moment. */
  readonly whileActing: boolean;
}

export const TRANSITIONS: Readonly<Record<CommandEvent, Transition>> = {
  begin: { from: ['queued'], to: 'running', whileActing: false },
  succeed: { from: ['running'], to: 'done', whileActing: true },
  fail: { from: ['queued', 'running'], to: 'failed', whileActing: true },
  deadline: { from: ['queued', 'running'], to: 'expired', whileActing: false },
  cancel: { from: ['queued', 'running'], to: 'cancelled', whileActing: false },
  lose: { from: ['running'], to: 'failed', whileActing: true },
};

/** Where an event leads; the same state when it means nothing there. */
export function nextState(state: CommandState, event: CommandEvent, acting: boolean): CommandState {
  const { from, to, whileActing } = TRANSITIONS[event];
  return from.includes(state) && (whileActing || !acting) ? to : state;
}

export function isOver(state: CommandState): boolean {
  return state !== 'queued' && state !== 'running';
}
