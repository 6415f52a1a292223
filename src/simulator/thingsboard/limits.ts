/**
 * The limits of a tenant profile: what the server keeps its clients to, and what it tells of it (`getSessionLimits`).
 * A device's session is kept to `rates`; a gateway's session to `gatewayRates`, and each device behind it to `rates`.
 */
import type { JsonValue } from '../../core/json.ts';
import { checkRateLimits, RateLimiter } from './rate-limit.ts';

/** `"capacity:seconds,..."`, null for unlimited. */
export interface Rates {
  readonly messages: string | null;
  readonly telemetryMessages: string | null;
  readonly telemetryDataPoints: string | null;
}

export interface Limits {
  readonly rates: Partial<Rates>;
  readonly gatewayRates: Partial<Rates>;
  /** Told only; what is kept is the remaining length of 65536. */
  readonly maxPayloadSize: number;
  readonly maxInflightMessages: number;
  /** false: a server before 3.8, on which the question runs into the time-out of a client RPC. */
  readonly areTold: boolean;
}

/** The answer for a device and for a gateway; null when nothing is told. */
export type ToldLimits = ((gateway: boolean) => JsonValue) | null;

const NO_RATES: Rates = { messages: null, telemetryMessages: null, telemetryDataPoints: null };

/** `rate`: of messages, for devices and gateways alike. Throws INVALID_VALUE. */
export function limitsOf(
  rate: string | null,
  given: Partial<Limits>,
): { readonly limits: Limits; readonly told: ToldLimits } {
  const rates = { ...NO_RATES, messages: rate, ...given.rates };
  const gatewayRates = { ...NO_RATES, messages: rate, ...given.gatewayRates };
  for (const text of [...Object.values(rates), ...Object.values(gatewayRates)]) {
    if (text !== null) checkRateLimits(text);
  }
  const { maxPayloadSize = 65_536, maxInflightMessages = 100, areTold = true } = given;
  const limits = { rates, gatewayRates, maxPayloadSize, maxInflightMessages, areTold };
  const sizes = { maxPayloadSize, maxInflightMessages };
  const told = (gateway: boolean): JsonValue => ({
    ...sizes,
    rateLimits: rates,
    ...(gateway ? { gatewayRateLimits: gatewayRates } : {}),
  });
  return { limits, told: areTold ? told : null };
}

type Kind = keyof Rates;

/** What one session, or one device behind a gateway, has left. */
export class RateLimiters {
  private readonly limiters: Readonly<Record<Kind, RateLimiter | null>>;

  constructor(rates: Partial<Rates>, monotonic: number) {
    const limiter = (text: string | null | undefined): RateLimiter | null =>
      text == null ? null : new RateLimiter(text, monotonic);
    this.limiters = {
      messages: limiter(rates.messages),
      telemetryMessages: limiter(rates.telemetryMessages),
      telemetryDataPoints: limiter(rates.telemetryDataPoints),
    };
  }

  /** Takes `cost`, or nothing and false when there is too little. */
  take(kind: Kind, cost: number, monotonic: number): boolean {
    return this.limiters[kind]?.take(cost, monotonic) ?? true;
  }
}
