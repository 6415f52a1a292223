/**
 * How the client's end of an HDLC link reacts to a frame of the meter, state by state. What the reactions do stands in
 * `client-link.ts`. A link that stands is not shaken by a late UA; UI frames are taken at any time.
 *
 *   disconnected    no link.
 *   connecting      SNRM sent, UA awaited.
 *   connected       stands; nothing is awaited.
 *   awaiting        a request is on its way, or its answer.
 *   polling         RR sent to keep the link alive; RR awaited.
 *   disconnecting   DISC sent, UA or DM awaited.
 */
import { BridgeError } from '../../core/errors.ts';
import type { HdlcFrame, HdlcFrameType } from './frame.ts';
import { decodeFrameReject } from './parameters.ts';

export type HdlcClientState = 'disconnected' | 'connecting' | 'connected' | 'awaiting' | 'polling' | 'disconnecting';

export type Reaction =
  | 'establish'
  | 'refused'
  | 'lost'
  | 'inform'
  | 'acknowledge'
  | 'alive'
  | 'notify'
  | 'end'
  | 'stale';

const STALE = {
  I: 'stale',
  RR: 'stale',
  RNR: 'stale',
  REJ: 'stale',
  SNRM: 'stale',
  DISC: 'stale',
  UA: 'stale',
  DM: 'stale',
  FRMR: 'stale',
  UI: 'notify',
  unknown: 'stale',
} as const;

export const REACTIONS: Readonly<Record<HdlcClientState, Readonly<Record<HdlcFrameType, Reaction>>>> = {
  disconnected: STALE,
  connecting: { ...STALE, UA: 'establish', DM: 'refused', FRMR: 'refused' },
  connected: { ...STALE, I: 'inform', DM: 'lost', FRMR: 'lost' },
  awaiting: {
    ...STALE,
    I: 'inform',
    RR: 'acknowledge',
    RNR: 'acknowledge',
    REJ: 'acknowledge',
    DM: 'lost',
    FRMR: 'lost',
  },
  polling: {
    ...STALE,
    I: 'inform',
    RR: 'alive',
    RNR: 'alive',
    REJ: 'alive',
    DM: 'lost',
    FRMR: 'lost',
  },
  disconnecting: { ...STALE, UA: 'end', DM: 'end', FRMR: 'end' },
};

/** The state that a reaction leads to; null: it stays, or what the frame holds decides. */
export const LEADS_TO: Readonly<Record<Reaction, HdlcClientState | null>> = {
  establish: 'connected',
  /** Once: connecting anew without parameters. */
  refused: 'disconnected',
  lost: 'disconnected',
  /** Once it is whole, and no notification. */
  inform: 'connected',
  acknowledge: null,
  alive: 'connected',
  notify: null,
  end: 'disconnected',
  stale: null,
};

export type LinkCommand = 'connect' | 'send' | 'listen' | 'keepAlive' | 'notify' | 'disconnect' | 'retries used up';

const ANYWHERE = { connect: 'connecting', disconnect: 'disconnecting' } as const;

/** What the owner of the link may do; what has no place here is refused, LINK_LOST or INTERNAL. */
export const COMMANDS: Readonly<Record<HdlcClientState, Partial<Record<LinkCommand, HdlcClientState>>>> = {
  disconnected: { connect: 'connecting', disconnect: 'disconnected' },
  connecting: { ...ANYWHERE, 'retries used up': 'disconnected' },
  connected: { ...ANYWHERE, send: 'awaiting', listen: 'awaiting', keepAlive: 'polling', notify: 'connected' },
  awaiting: {
    ...ANYWHERE,
    send: 'awaiting',
    listen: 'awaiting',
    notify: 'awaiting',
    'retries used up': 'disconnected',
  },
  polling: { ...ANYWHERE, 'retries used up': 'disconnected' },
  disconnecting: { ...ANYWHERE, 'retries used up': 'disconnected' },
};

/** What was done in vain since the last progress. */
export interface Attempts {
  timeouts: number;
  /** Of I-frames that the meter has had its turn to take. */
  repetitions: number;
  /** Polls that brought no answer. */
  polls: number;
  answeredDuplicate: boolean;
}

export const NO_ATTEMPTS: Attempts = { timeouts: 0, repetitions: 0, polls: 0, answeredDuplicate: false };

/** What each waiting state waits for, in words. */
export const AWAITED = {
  connecting: 'UA to the SNRM',
  awaiting: 'the answer',
  polling: 'RR to the keep-alive',
  disconnecting: 'UA to the DISC',
} as const;

/** Why a DM or FRMR ended the link. */
export function lostBy({ control, information }: HdlcFrame): BridgeError {
  if (control.frameType !== 'FRMR') return new BridgeError('LINK_LOST', 'the meter answered DM: it knows no link');
  const reject = decodeFrameReject(information);
  const why =
    reject === null ? '' : ` to ${reject.rejectedFrameType}: ${reject.reasons.join(', ') || 'no reason given'}`;
  return new BridgeError('LINK_LOST', `the meter answered FRMR${why}`);
}
