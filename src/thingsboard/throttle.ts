/**
 * When a message may be sent: within our share of the limits that the server told, for the session and for each device
 * behind a gateway, and within our own pace. Lives as long as its connection: the server's buckets outlive a session.
 */

import { Pace } from './pace.ts';
import type { Message } from './packers.ts';
import { RateBudget } from './rate-budget.ts';
import { NOTHING_TOLD, type Rates, type SessionLimits } from './session-limits.ts';

interface Budgets {
  readonly messages: RateBudget;
  readonly telemetryMessages: RateBudget;
  readonly telemetryDataPoints: RateBudget;
}

export interface Send {
  readonly device: string;
  readonly message: Message;
  /** The first message of a session about a device behind a gateway costs more: the server makes a session for it. */
  readonly isFirstContact: boolean;
}

const FIRST_CONTACT_COST = 2;

export class Throttle {
  readonly pace = new Pace();
  limits: SessionLimits = NOTHING_TOLD;
  private session: Budgets;
  private readonly devices = new Map<string, Budgets>();

  constructor(now: number) {
    this.session = budgetsOf(NOTHING_TOLD.session, now);
  }

  /** What the server told now; tokens that were taken stay taken where the rates are as they were. */
  update(limits: SessionLimits, now: number): void {
    const before = this.limits;
    this.limits = limits;
    if (JSON.stringify(before.session) !== JSON.stringify(limits.session)) {
      this.session = budgetsOf(limits.session, now);
    }
    if (JSON.stringify(before.device) !== JSON.stringify(limits.device)) this.devices.clear();
  }

  /** Milliseconds until the message may be sent; 0: now, and it counts as sent. */
  take(send: Send, now: number): number {
    const costs = costsOf(send);
    const all = [this.session, ...this.ofDevice(send.device, now)];
    const waits = all.flatMap((budgets) => KINDS.map((kind) => budgets[kind].wait(costs[kind], now)));
    const wait = Math.max(this.pace.wait(costs.messages, now), ...waits);
    if (wait > 0) return wait;
    for (const budgets of all) for (const kind of KINDS) budgets[kind].take(costs[kind], now);
    this.pace.take(costs.messages, now);
    return 0;
  }

  private ofDevice(device: string, now: number): readonly Budgets[] {
    if (KINDS.every((kind) => this.limits.device[kind].length === 0)) return [];
    const budgets = this.devices.get(device) ?? budgetsOf(this.limits.device, now);
    this.devices.set(device, budgets);
    return [budgets];
  }
}

const KINDS = ['messages', 'telemetryMessages', 'telemetryDataPoints'] as const;

function budgetsOf(rates: Rates, now: number): Budgets {
  return {
    messages: new RateBudget(rates.messages, now),
    telemetryMessages: new RateBudget(rates.telemetryMessages, now),
    telemetryDataPoints: new RateBudget(rates.telemetryDataPoints, now),
  };
}

function costsOf({ message, isFirstContact }: Send): Readonly<Record<(typeof KINDS)[number], number>> {
  const isTelemetry = message.points !== undefined;
  return {
    messages: isFirstContact ? 1 + FIRST_CONTACT_COST : 1,
    telemetryMessages: isTelemetry ? 1 : 0,
    telemetryDataPoints: message.points ?? 0,
  };
}
