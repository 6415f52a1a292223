/**
 * At each new association a meter is asked who it is and what its clock says, in the request that carries the due points
 * anyway. One meter's memory of that, shared by everything that reads from it.
 */
import type { PointReference, PointResult } from '../meter/points.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Reading } from '../reading/reading.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  type KnownIdentity,
  type MeterIdentity,
  pinnedFact,
  strangerFact,
  strangerReason,
} from '../store/fleet/identity.ts';
import type { LearnedFact, Withheld } from '../store/local/types.ts';
import { type IdentityVerdict, identityName, judgeIdentity, pinnedWith } from './identity.ts';
import { driftOf, driftSeconds } from './meter-drift.ts';
import { PointLedger } from './point-ledger.ts';

const CLOCK_OBIS = '0.0.1.0.0.255';
export const DRIFT_KEY = 'clockDrift';

/** The clock last: how long its own round trip took is known best then. */
const ASKED = {
  logicalDeviceName: { classId: 1, obis: '0.0.42.0.0.255', attribute: 2 },
  serialNumber: { classId: 1, obis: '0.0.96.1.0.255', attribute: 2 },
  clock: { classId: 8, obis: CLOCK_OBIS, attribute: 2 },
} as const satisfies Readonly<Record<string, PointReference>>;
type Asked = keyof typeof ASKED;

export interface IdentificationOptions {
  readonly clock: Clock;
  readonly known: KnownIdentity;
  /** The clock is asked, and its drift published. */
  readonly followsClock: boolean;
  /** Keys that the meter's points have: none of them is taken for the drift. */
  readonly keys: ReadonlySet<string>;
}

/** What an association began with. */
export interface Identified {
  readonly verdict: IdentityVerdict;
  readonly shown: MeterIdentity;
  /** The verdict is another than at the association before. */
  readonly isNews: boolean;
  /** Milliseconds that the meter's clock is ahead; null where it was not asked or tells no instant. */
  readonly driftMs: number | null;
  readonly learned: readonly LearnedFact[];
  /** Of the drift. */
  readonly readings: readonly Reading[];
}

export interface AnswerTimes {
  readonly answeredAt: number;
  readonly roundTripMs: number;
  /** Our own clock can be measured against. */
  readonly isBelieved: boolean;
}

export class Identification {
  private readonly options: IdentificationOptions;
  private readonly ledger: PointLedger;
  private known: KnownIdentity;
  /** The session's association that was asked last. */
  private association = -1;
  /** What `wanted` gave last. */
  private asking: readonly Asked[] = [];

  constructor(options: IdentificationOptions) {
    this.options = options;
    this.known = options.known;
    this.ledger = new PointLedger(options.clock);
  }

  get identity(): KnownIdentity {
    return this.known;
  }

  /** Somebody has decided who the meter is: it is asked anew. */
  decided(known: KnownIdentity): void {
    this.known = known;
    this.association = -1;
  }

  /** What is to be asked along with the points; nothing over an association that was asked. */
  wanted({ associations }: Pick<MeterSession, 'associations'>): readonly PointReference[] {
    this.asking = associations === this.association ? [] : this.askedNow();
    return this.asking.map((name) => ASKED[name]);
  }

  /** Takes the answers to `wanted`, in its order. */
  answered(session: MeterSession, results: readonly PointResult[], times: AnswerTimes): Identified {
    const answers = new Map(this.asking.map((name, index) => [name, results[index]]));
    const dataOf = (name: Asked) => answers.get(name)?.data ?? null;
    for (const [name, result] of answers) if (result !== undefined) this.ledger.note(name, result.error);
    const shown: MeterIdentity = {
      logicalDeviceName: identityName(dataOf('logicalDeviceName')),
      serialNumber: identityName(dataOf('serialNumber')),
    };
    const time = times.isBelieved ? dataOf('clock') : null;
    const driftMs = time === null ? null : driftOf(time, session, times.answeredAt, times.roundTripMs);
    const verdict = judgeIdentity(this.known.pinned, shown);
    const before = this.known;
    const learned = this.learn(verdict, shown);
    this.association = session.associations;
    const isNews =
      (before.stranger === null) !== (this.known.stranger === null) ||
      (before.pinned === null && this.known.pinned !== null);
    return { verdict, shown, isNews, driftMs, learned, readings: this.driftReadings(driftMs, times.answeredAt) };
  }

  /** Why readings are to be set aside; null while the meter is who it should be. */
  withheld(): Withheld | null {
    const { stranger } = this.known;
    return stranger === null ? null : { reason: strangerReason(stranger), unless: pinnedFact(stranger) };
  }

  private askedNow(): readonly Asked[] {
    const names = Object.keys(ASKED) as readonly Asked[];
    return names.filter((name) => (name !== 'clock' || this.options.followsClock) && !this.ledger.skips(name));
  }

  private learn(verdict: IdentityVerdict, shown: MeterIdentity): readonly LearnedFact[] {
    const { pinned, stranger } = this.known;
    switch (verdict) {
      case 'unknown':
        return [];
      case 'stranger':
        this.known = { pinned, stranger: shown };
        return stranger?.serialNumber === shown.serialNumber && stranger.logicalDeviceName === shown.logicalDeviceName
          ? []
          : [strangerFact(shown)];
      case 'pin':
      case 'same': {
        const now = pinnedWith(pinned, shown);
        this.known = { pinned: now, stranger: null };
        return [...(verdict === 'pin' ? [pinnedFact(now)] : []), ...(stranger === null ? [] : [strangerFact(null)])];
      }
    }
  }

  private driftReadings(driftMs: number | null, ts: number): readonly Reading[] {
    if (driftMs === null || this.options.keys.has(DRIFT_KEY)) return [];
    return [{ key: DRIFT_KEY, ts, value: driftSeconds(driftMs), unit: 's', obis: CLOCK_OBIS, quality: 'good' }];
  }
}
