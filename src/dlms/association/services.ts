/**
 * The confirmed services of one association, one at a time, sans I/O: numbers requests, tells the answer from answers to
 * requests that were given up, and a refusal from an answer. What goes on within a service stands in `exchange/`.
 */
import type { BridgeError } from '../../core/errors.ts';
import type { ExchangeStep, ServiceExchange, ServiceLimits } from '../exchange/exchange.ts';
import type { Quirks } from '../quirks.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { invokeIdAndPriority } from '../xdlms/invoke-id.ts';
import { withReturnParametersFlag } from '../xdlms/missing-flag.ts';
import { endsAssociation, responseError } from '../xdlms/response-error.ts';

export type ServiceStep =
  | ExchangeStep
  /** A notification; what is under way goes on. */
  | { readonly kind: 'unsolicited'; readonly apdu: UnsolicitedApdu }
  /** It answers nothing that is under way. */
  | { readonly kind: 'ignored' };

const UNSOLICITED = ['data-notification', 'event-notification-request', 'informationReportRequest'] as const;
/** What a meter sends unasked (Green Book 9.3.9, 9.3.13, 9.3.16). */
export type UnsolicitedApdu = Extract<Apdu, { readonly apdu: (typeof UNSOLICITED)[number] }>;

export function isUnsolicited(apdu: Apdu): apdu is UnsolicitedApdu {
  return (UNSOLICITED as readonly string[]).includes(apdu.apdu);
}

/** The invoke id of the proof of HLS; services count from the next one. */
export const FIRST_INVOKE_ID = 0;
const INVOKE_IDS = 16;

/** How requests are numbered and marked. */
export type RequestStyle = Pick<Quirks, 'constantInvokeId' | 'normalPriority'>;

export class ServiceDialogue {
  private readonly style: RequestStyle;
  private invokeId = FIRST_INVOKE_ID;
  /** Invoke ids that came back as sent; two different ones show that this meter echoes them. */
  private readonly echoed = new Set<number>();
  private current: ServiceExchange<unknown> | null = null;

  constructor(style: RequestStyle) {
    this.style = style;
  }

  /** What is under way. */
  get exchange(): ServiceExchange<unknown> | null {
    return this.current;
  }

  /** The first request. Throws SERVICE_NOT_GRANTED, PDU_TOO_SMALL; then nothing has happened. */
  begin(exchange: ServiceExchange<unknown>, limits: ServiceLimits, next = (this.invokeId + 1) % INVOKE_IDS): Apdu {
    const { constantInvokeId, normalPriority } = this.style;
    const invokeId = constantInvokeId ?? next;
    const priority = normalPriority ? 'normal' : 'high';
    const request = exchange.begin({
      ...limits,
      invokeIdAndPriority: invokeIdAndPriority(invokeId, 'confirmed', priority),
    });
    this.invokeId = invokeId;
    this.current = exchange;
    return request;
  }

  /** The exchange is over, or was given up. */
  end(): void {
    this.current = null;
  }

  /** An APDU of the meter, as the service under way wants it read. Throws what decoding throws. */
  read(plain: Uint8Array): Apdu {
    const mended = withReturnParametersFlag(plain);
    return this.current?.decode?.(mended) ?? decodeApdu(mended);
  }

  /** An APDU of the meter, opened. Throws what reading its contents throws. */
  receive(apdu: Apdu): ServiceStep {
    if (isUnsolicited(apdu)) return { kind: 'unsolicited', apdu };
    const exchange = this.current;
    if (exchange === null) return { kind: 'ignored' };
    if (apdu.apdu !== exchange.answers) return refusedBy(responseError(apdu), exchange.isList);
    const invokeId = invokeIdOf(apdu);
    return invokeId !== null && this.isStale(invokeId) ? { kind: 'ignored' } : exchange.receive(apdu);
  }

  /** An answer to an earlier request, from a meter that is known to echo invoke ids; others answer with whatever they like. */
  private isStale(invokeId: number): boolean {
    if (invokeId === this.invokeId) {
      this.echoed.add(invokeId);
      return false;
    }
    return this.echoed.size > 1;
  }
}

function refusedBy(error: BridgeError, askedForList: boolean): ExchangeStep {
  return { kind: endsAssociation(error, askedForList) ? 'lost' : 'failed', error };
}

function invokeIdOf(apdu: Apdu): number | null {
  if ('invokeIdAndPriority' in apdu) return apdu.invokeIdAndPriority.invokeId;
  return 'longInvokeIdAndPriority' in apdu ? apdu.longInvokeIdAndPriority.invokeId : null;
}
