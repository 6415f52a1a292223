/**
 * The states of a meter and of a line as operators see them, and what leads from one to the next. One table serves both.
 *
 * A meter is
 *   disconnected  not talked to yet, or the line under it broke while nothing was asked.
 *   connecting    an attempt to reach it is under way, after it was not connected.
 *   connected     it answered last. Its association stands, or was released in order: a meter that shares an RS-485 line
 *                 or is released after each cycle goes on being connected between its turns.
 *   error         the last attempt failed. It is tried again after a short, growing rest.
 *   suspended     left alone by the breaker (after many failures; probed at a slow, growing interval) or by an operator.
 * A line is connected while its port is open, and disconnected when it was closed on purpose.
 *
 * What happens
 *   attempt   somebody begins to reach it.       answered  it was reached.
 *   failed    the attempt, or its use, failed.   lost      what stood broke by itself.
 *   ended     it was closed on our side.         suspend, resume  the breaker or an operator.
 *
 * Every pair has an entry, so no order of events is a fault. Three of them carry the design: an attempt at a connected
 * meter is no news; the probe of a suspended one neither (only its answer is); an error stays until something answers.
 */
export const CONNECTION_STATES = ['disconnected', 'connecting', 'connected', 'error', 'suspended'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

export const CONNECTION_INPUTS = ['attempt', 'answered', 'failed', 'lost', 'ended', 'suspend', 'resume'] as const;
export type ConnectionInput = (typeof CONNECTION_INPUTS)[number];

export const CONNECTION_TRANSITIONS: Readonly<
  Record<ConnectionState, Readonly<Record<ConnectionInput, ConnectionState>>>
> = {
  disconnected: {
    attempt: 'connecting',
    answered: 'connected',
    failed: 'error',
    lost: 'disconnected',
    ended: 'disconnected',
    suspend: 'suspended',
    resume: 'disconnected',
  },
  connecting: {
    attempt: 'connecting',
    answered: 'connected',
    failed: 'error',
    // The attempt under way says itself how it ended.
    lost: 'connecting',
    ended: 'disconnected',
    suspend: 'suspended',
    resume: 'connecting',
  },
  connected: {
    attempt: 'connected',
    answered: 'connected',
    failed: 'error',
    lost: 'disconnected',
    ended: 'disconnected',
    suspend: 'suspended',
    resume: 'connected',
  },
  error: {
    attempt: 'connecting',
    answered: 'connected',
    failed: 'error',
    lost: 'error',
    ended: 'error',
    suspend: 'suspended',
    resume: 'error',
  },
  suspended: {
    attempt: 'suspended',
    answered: 'connected',
    failed: 'suspended',
    lost: 'suspended',
    ended: 'suspended',
    suspend: 'suspended',
    resume: 'disconnected',
  },
};
