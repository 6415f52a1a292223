/**
 * When a message may be sent: within our share of the limits that the server told, for the session and for each device
 * behind a gateway, and within our own pace. Lives as long as its connection: the server's buckets outlive a session.
 */

import type { Message } from '../session/message.ts';
import { Pace } from './pace.ts';
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

/** Who is at a limit, and for how many milliseconds. */
export interface Wait {
  readonly whose: 'session' | 'device';
  readonly ms: number;
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

  /** What the message has to wait for; null: it may be sent now, and counts as sent. */
  take(send: Send, now: number): Wait | null {
    const costs = costsOf(send);
    const ofDevice = this.ofDevice(send.device, now);
    const ofSession = Math.max(this.pace.wait(costs.messages, now), waitOf(this.session, costs, now));
    if (ofSession > 0) return { whose: 'session', ms: ofSession };
    const ms = ofDevice === null ? 0 : waitOf(ofDevice, costs, now);
    if (ms > 0) return { whose: 'device', ms };
    for (const budgets of [this.session, ofDevice]) {
      for (const kind of KINDS) budgets?.[kind].take(costs[kind], now);
    }
    this.pace.take(costs.messages, now);
    return null;
  }

  private ofDevice(device: string, now: number): Budgets | null {
    if (KINDS.every((kind) => this.limits.device[kind].length === 0)) return null;
    const budgets = this.devices.get(device) ?? budgetsOf(this.limits.device, now);
    this.devices.set(device, budgets);
    return budgets;
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

type Costs = Readonly<Record<(typeof KINDS)[number], number>>;

/** Milliseconds until all of the budgets can give. */
function waitOf(budgets: Budgets, costs: Costs, now: number): number {
  return Math.max(...KINDS.map((kind) => budgets[kind].wait(costs[kind], now)));
}

function costsOf({ message, isFirstContact }: Send): Costs {
  const isTelemetry = message.points !== undefined;
  return {
    messages: isFirstContact ? 1 + FIRST_CONTACT_COST : 1,
    telemetryMessages: isTelemetry ? 1 : 0,
    telemetryDataPoints: message.points ?? 0,
  };
}
