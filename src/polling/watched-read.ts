/**
 * A poll that notices when what was learned of a meter does not hold any more: another firmware, or a value that is ten
 * times what it was. Then scalers are asked again, in the same session, before anything is published.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Decimal } from '../core/decimal.ts';
import { decimalText } from '../core/decimal.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import type { ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import { learnScalers } from '../meter/column-scalers.ts';
import {
  firmwareFact,
  forgetObjects,
  forgetScaler,
  type Knowledge,
  type LearnedFact,
  objectKey,
} from '../meter/knowledge.ts';
import { type PointReference, type PointResult, type PointsRead, readPoints } from '../meter/points.ts';
import type { MeterSession } from '../meter/session.ts';

/**
 * firmware: another version, everything was asked again; scaler: a register counts in another power of ten or unit than
 * before; jump: an energy is ten times what it was, or a tenth, with the scaler that it had.
 */
export interface Noticed {
  readonly what: 'firmware' | 'scaler' | 'jump';
  readonly key: string;
  readonly obis: string;
  readonly before: string;
  readonly after: string;
}

export interface WatchedRead extends PointsRead {
  readonly noticed: readonly Noticed[];
}

interface WatchedPoint extends PointReference {
  readonly key: string;
}

/** Active firmware identifiers and versions (Blue Book 6.2.4). */
const FIRMWARE = /^[01]\.\d+\.0\.2\.\d+\.255$/;
/** Energies, value group D 8: they do not jump. Anything else may, so its scaler is not asked at each jump. */
const ENERGY = /^1\.\d+\.\d+\.8\.\d+\.255$/;
const JUMP = 10;
const ASK_AGAIN_MS = 3_600_000;

interface Seen {
  readonly value: number;
  /** Monotonic time at which the scaler was asked because of a jump. */
  readonly askedAt: number;
}

/** What was seen of one meter's values; begins empty. */
export class ValueWatch {
  private readonly last = new Map<string, Seen>();

  /** Reads the points once; those again of which something does not hold any more. `now` on a monotonic clock. */
  async read(
    session: MeterSession,
    points: readonly WatchedPoint[],
    knowledge: Knowledge,
    now: number,
  ): Promise<WatchedRead> {
    const known = new Map(knowledge.scalerUnits);
    const first = await readPoints(session, points, knowledge);
    const firmware = firmwareChanges(points, first.results, knowledge);
    if (firmware.noticed.length > 0) {
      this.last.clear();
      const forgotten = forgetObjects(session, knowledge);
      const second = await readPoints(session, points, knowledge);
      const learned = [...first.learned, ...firmware.learned, ...forgotten, ...second.learned];
      const noticed = [...firmware.noticed, ...scalerChanges(points, second.results, known)];
      this.note(points, second.results);
      return { results: second.results, learned, noticed };
    }
    const jumped = this.jumps(points, first.results, known, now);
    const read =
      jumped.length === 0 ? first : await this.scaledAgain(session, points, knowledge, { first, jumped, known });
    const noticed = [...scalerChanges(points, read.results, known), ...this.energyJumps(points, read.results, jumped)];
    this.note(points, read.results, jumped, now);
    return { results: read.results, learned: [...read.learned, ...firmware.learned], noticed };
  }

  /**
   * Asks for the scalers of these points alone: where they are what they were, what was read stands as it was said. Where
   * one is another, the value may have been said before it changed, and is read with it.
   */
  private async scaledAgain(
    session: MeterSession,
    points: readonly WatchedPoint[],
    knowledge: Knowledge,
    { first, jumped, known }: { first: PointsRead; jumped: readonly number[]; known: Knowledge['scalerUnits'] },
  ): Promise<PointsRead> {
    const registers = jumped.map((index) => {
      const { obis, attribute } = points[index]!;
      return { index, classId: first.results[index]!.classId ?? 0, obis, attribute, dataIndex: 0 };
    });
    const keyOf = ({ classId, obis }: (typeof registers)[number]): string => objectKey(classId, obis);
    const forgotten = registers.map((register) => forgetScaler(knowledge, keyOf(register)));
    const scalers = await learnScalers(session, registers, knowledge);
    const learned = [...first.learned, ...forgotten, ...scalers.learned];
    const moved = registers
      .filter((register) => !isDeepStrictEqual(knowledge.scalerUnits.get(keyOf(register)), known.get(keyOf(register))))
      .map(({ index }) => index);
    if (moved.length === 0) return { results: first.results, learned };
    const again = await readPoints(
      session,
      moved.map((index) => points[index]!),
      knowledge,
    );
    const results = first.results.map((result, index) => {
      const at = moved.indexOf(index);
      return at < 0 ? result : again.results[at]!;
    });
    return { results, learned: [...learned, ...again.learned] };
  }

  /** Indices of the points whose value jumped, and whose scaler was not asked just now. */
  private jumps(
    points: readonly WatchedPoint[],
    results: readonly PointResult[],
    known: ReadonlyMap<string, ScalerUnit | null>,
    now: number,
  ): number[] {
    return points.flatMap(({ key, obis }, index) => {
      const { classId } = results[index]!;
      const seen = this.last.get(key);
      const value = numberOf(results[index]!);
      if (classId === null || seen === undefined || value === null || !isJump(seen.value, value)) return [];
      const wasAsked = !known.has(objectKey(classId, obis));
      const isRested = ENERGY.test(obis) || now - seen.askedAt >= ASK_AGAIN_MS;
      return wasAsked || !isRested ? [] : [index];
    });
  }

  private energyJumps(
    points: readonly WatchedPoint[],
    results: readonly PointResult[],
    jumped: readonly number[],
  ): Noticed[] {
    return jumped.flatMap((index): Noticed[] => {
      const { key, obis } = points[index]!;
      const before = this.last.get(key)?.value ?? 0;
      const after = numberOf(results[index]!);
      if (!ENERGY.test(obis) || after === null || !isJump(before, after)) return [];
      return [{ what: 'jump', key, obis, before: String(before), after: String(after) }];
    });
  }

  private note(
    points: readonly WatchedPoint[],
    results: readonly PointResult[],
    asked: readonly number[] = [],
    now = Number.NEGATIVE_INFINITY,
  ): void {
    for (const [index, { key }] of points.entries()) {
      const value = numberOf(results[index]!);
      if (value === null) continue;
      const askedAt = asked.includes(index) ? now : (this.last.get(key)?.askedAt ?? Number.NEGATIVE_INFINITY);
      this.last.set(key, { value, askedAt });
    }
  }
}

/** Firmware versions that are others than before; those seen for the first time are learned without a word. */
function firmwareChanges(points: readonly WatchedPoint[], results: readonly PointResult[], knowledge: Knowledge) {
  const noticed: Noticed[] = [];
  const learned: LearnedFact[] = [];
  for (const [index, { key, obis }] of points.entries()) {
    const { data } = results[index]!;
    if (data === null || !FIRMWARE.test(obis)) continue;
    const after = textOf(cosemValue(data));
    const before = knowledge.firmware.get(obis);
    if (after === null || after === before) continue;
    learned.push(firmwareFact(knowledge, obis, after));
    if (before !== undefined) noticed.push({ what: 'firmware', key, obis, before, after });
  }
  return { noticed, learned };
}

/** Registers whose scaler or unit was known and is another now. */
function scalerChanges(
  points: readonly WatchedPoint[],
  results: readonly PointResult[],
  known: ReadonlyMap<string, ScalerUnit | null>,
): Noticed[] {
  return points.flatMap(({ key, obis }, index): Noticed[] => {
    const { classId, scalerUnit } = results[index]!;
    const before = classId === null ? null : known.get(objectKey(classId, obis));
    if (before === null || before === undefined || scalerUnit === null) return [];
    if (before.scaler === scalerUnit.scaler && before.unit === scalerUnit.unit) return [];
    return [{ what: 'scaler', key, obis, before: scalerText(before), after: scalerText(scalerUnit) }];
  });
}

function scalerText({ scaler, unit }: ScalerUnit): string {
  return `10^${scaler}, unit ${unit}`;
}

function isJump(before: number, after: number): boolean {
  if (before === 0 || after === 0) return false;
  const ratio = Math.abs(after / before);
  return ratio >= JUMP || ratio <= 1 / JUMP;
}

/** Of values that have a scaler; near enough to tell a jump. */
function numberOf({ data, scalerUnit }: PointResult): number | null {
  if (data === null || scalerUnit === null) return null;
  const value = cosemValue(data, { scaler: scalerUnit.scaler });
  return typeof value === 'object' && value !== null && 'coefficient' in value ? Number(decimalText(value)) : null;
}

function textOf(value: ReturnType<typeof cosemValue>): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null && 'coefficient' in value ? decimalText(value as Decimal) : null;
}
