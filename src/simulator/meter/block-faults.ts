/** Misbehaviours in what an answer leaves in: blocks of general block transfer, and notifications before it. */
import type { Fault, FaultKind, Notifying } from './faults.ts';

const GENERAL_BLOCK_TRANSFER = 0xe0;

export const BLOCK_FAULTS = {
  'lose-block': {
    description: 'loses every n-th block of general block transfer',
    parameter: { meaning: 'blocks', default: 3 },
    make: ({ parameter }) => {
      let sent = 0;
      const isLost = (apdu: Uint8Array): boolean => {
        if (apdu[0] !== GENERAL_BLOCK_TRANSFER) return false;
        sent += 1;
        return sent % parameter === 0;
      };
      return { leaves: (apdus) => apdus.filter((apdu) => !isLost(apdu)) };
    },
  },
  'repeat-block': {
    description: 'sends every block of general block transfer twice',
    parameter: null,
    make: () => ({
      leaves: (apdus) => apdus.flatMap((apdu) => (apdu[0] === GENERAL_BLOCK_TRANSFER ? [apdu, apdu] : [apdu])),
    }),
  },
  'disorder-blocks': {
    description: 'sends the blocks of each window the other way round',
    parameter: null,
    make: () => ({ leaves: (apdus) => [...apdus].reverse() }),
  },
  'notify-before-answer': {
    description: 'sends a notification before each n-th answer',
    parameter: { meaning: 'requests', default: 1 },
    make: ({ parameter }) => notifying(parameter, 'unconfirmed'),
  },
  'notify-confirmed': {
    description: 'sends a notification that wants to be confirmed before each n-th answer',
    parameter: { meaning: 'requests', default: 1 },
    make: ({ parameter }) => notifying(parameter, 'confirmed'),
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

function notifying(every: number, kind: Exclude<Notifying, null>): Fault {
  let heard = 0;
  return {
    notifies: () => {
      heard += 1;
      return heard % every === 0 ? kind : null;
    },
  };
}
