/** What ThingsBoard (>= 3.8) answers to `getSessionLimits`, and what we keep of it: 80 % of each limit, as its own SDK. */
import { MAX_REMAINING_LENGTH } from '../session/message.ts';
import { parseRates, type Rate, shareOf } from './rate-budget.ts';

export interface Rates {
  readonly messages: readonly Rate[];
  readonly telemetryMessages: readonly Rate[];
  readonly telemetryDataPoints: readonly Rate[];
}

/** Already our share of what was told. */
export interface SessionLimits {
  /** Octets that a packet of several values may have. */
  readonly packed: number;
  /** Octets of a packet that the server still takes, for a value that fits no smaller one. */
  readonly packet: number;
  /** Publishes in flight; null when nothing was told. */
  readonly window: number | null;
  /** Of the session as a whole. */
  readonly session: Rates;
  /** Of each device behind the gateway. */
  readonly device: Rates;
}

export const SHARE = 0.8;

export const UNLIMITED: Rates = { messages: [], telemetryMessages: [], telemetryDataPoints: [] };

/** Of a server that tells nothing: the packet that every ThingsBoard takes, and no rates. */
export const NOTHING_TOLD: SessionLimits = {
  packed: MAX_REMAINING_LENGTH,
  packet: MAX_REMAINING_LENGTH,
  window: null,
  session: UNLIMITED,
  device: UNLIMITED,
};

/** The answer's limits; null when it is none (`{"error":"timeout"}` of an older server, no JSON). */
export function parseSessionLimits(payload: string): SessionLimits | null {
  const answer = objectOf(payload);
  if (answer === null || !('maxPayloadSize' in answer || 'rateLimits' in answer)) return null;
  const packet = Math.min(MAX_REMAINING_LENGTH, positive(answer.maxPayloadSize) ?? MAX_REMAINING_LENGTH);
  const inFlight = positive(answer.maxInflightMessages);
  const own = ratesOf(answer.rateLimits);
  // Told to gateways only: then the others hold for each device behind them.
  const isGateway = isObject(answer.gatewayRateLimits);
  return {
    packed: Math.floor(packet * SHARE),
    packet,
    window: inFlight === null ? null : Math.max(1, Math.floor(inFlight * SHARE)),
    session: isGateway ? ratesOf(answer.gatewayRateLimits) : own,
    device: isGateway ? own : UNLIMITED,
  };
}

function ratesOf(value: unknown): Rates {
  const { messages, telemetryMessages, telemetryDataPoints } = isObject(value) ? value : {};
  return {
    messages: shareOf(parseRates(messages), SHARE),
    telemetryMessages: shareOf(parseRates(telemetryMessages), SHARE),
    telemetryDataPoints: shareOf(parseRates(telemetryDataPoints), SHARE),
  };
}

/** Values that one message may have, so that it ever fits through all limits. */
export function pointsPerMessage({ session, device }: SessionLimits): number {
  const capacities = [...session.telemetryDataPoints, ...device.telemetryDataPoints].map(({ capacity }) => capacity);
  return Math.min(Number.POSITIVE_INFINITY, ...capacities);
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : null;
}

function objectOf(payload: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : null;
  } catch {
    // No JSON is no answer to us; whatever it is, the documented defaults hold.
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
