/**
 * Following a profile: where it is gone on from, which part is asked for next, and what a part brings. Nothing here is
 * done, only decided; `profile-poller.ts` does it.
 *
 * The mark is the capture time of the last row taken. A part begins with that row, so that one which is gone shows; rows at
 * that very time which were not there before are told by their signatures.
 */
import { zoneAround } from '../dlms/cosem/meter-time.ts';
import type { ProfileRow } from '../dlms/cosem/profile-buffer.ts';
import {
  inOrderOfCapture,
  markAfter,
  type ProfileEvent,
  type ProfileMark,
  type ProfileReading,
  profileEvents,
} from '../dlms/cosem/profile-watch.ts';
import type { ProfileDefinition, ProfileSelection, RowsRead } from '../meter/profile-access.ts';
import type { NewProfile } from '../store/fleet/types.ts';
import type { LearnedFact } from '../store/local/types.ts';
import { signatureOf, type TimedRow } from './profile-readings.ts';

/** Kept with the rows, in one transaction. */
export interface FollowMark extends ProfileMark {
  /** Signatures of the rows at the cursor. */
  readonly seen: readonly string[];
  /** What the first part was told to begin with: another beginning begins anew. */
  readonly backfillFrom: number | 'all' | null;
}

/** Rows of one part: two days of quarter hours. */
export const PART_ROWS = 192;
/** Without a word about it. */
export const BACKFILL_MS = 86_400_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Back over both passes of the repeated hour to a row in summer time. */
const BEFORE_REPEATED_MS = 3 * HOUR_MS;
/** Before meters. */
export const EARLIEST = Date.UTC(2000, 0, 1);

const MARK = 'profile-mark:';

export function markFact(obis: string, mark: FollowMark): LearnedFact {
  return { kind: MARK + obis, json: JSON.stringify(mark) };
}

/** The mark to go on from; null where the profile is to be fetched from its beginning. */
export function markOf(
  learned: ReadonlyMap<string, string>,
  { obis, backfillFrom }: Pick<NewProfile, 'obis' | 'backfillFrom'>,
): FollowMark | null {
  const json = learned.get(MARK + obis);
  const mark = json === undefined ? null : (JSON.parse(json) as FollowMark);
  return mark !== null && mark.backfillFrom === (backfillFrom ?? null) ? mark : null;
}

/** How far a run through a profile has come. */
export interface Scan {
  readonly mark: FollowMark | null;
  /** Milliseconds UTC from where the next part is asked for. */
  readonly from: number;
  /** The row at the mark was there, or was taken in this run. */
  readonly isAttached: boolean;
  /** Parts do not pay: the meter gives all that there is from a moment on, or the whole. */
  readonly isWhole: boolean;
  readonly isFirst: boolean;
}

/** The rows to ask for; `to` is far away for the last part. */
export function partOf(
  { mark, from, isWhole }: Scan,
  definition: Pick<ProfileDefinition, 'capturePeriod' | 'meterTime' | 'zone'>,
  now: number,
): Extract<ProfileSelection, { kind: 'range' }> {
  const { capturePeriod, zone } = definition;
  const end = Math.max(from, surely(definition, mark) ?? now);
  const bounded = from + PART_ROWS * capturePeriod * 1000;
  // A clock that is set ahead meanwhile must not hide rows.
  const to = isWhole || capturePeriod === 0 || bounded >= end ? end + DAY_MS : bounded;
  // Where local times alone tell, those of the repeated hour are told apart by what stands before them.
  const isAmbiguous = isSecondPass(from, zone) || isSecondPass(from + HOUR_MS, zone);
  return { kind: 'range', from: isAmbiguous ? from - BEFORE_REPEATED_MS : from, to };
}

/** The meter's time; in the repeated hour, where it names two moments, the one that is not before the mark. */
function surely(
  { meterTime, zone }: Pick<ProfileDefinition, 'meterTime' | 'zone'>,
  mark: FollowMark | null,
): number | null {
  const cursor = mark?.cursor ?? null;
  if (meterTime === null || cursor === null || meterTime >= cursor) return meterTime;
  return isSecondPass(meterTime + HOUR_MS, zone) ? meterTime + HOUR_MS : meterTime;
}

/** Within the hour that is repeated when a named zone goes back in autumn. */
function isSecondPass(instant: number, zone: ProfileDefinition['zone']): boolean {
  if (zone === null || !('timeZone' in zone)) return false;
  return zoneAround(instant, zone).now > zoneAround(instant - HOUR_MS, zone).now;
}

export interface Part {
  /** Rows that were not taken before, in the order of capture. */
  readonly rows: readonly TimedRow[];
  readonly events: readonly ProfileEvent[];
  readonly mark: FollowMark;
  /** null: that was all. */
  readonly next: Scan | null;
}

export interface PartRead {
  readonly definition: ProfileDefinition;
  readonly selection: Extract<ProfileSelection, { kind: 'range' }>;
  readonly read: Pick<RowsRead, 'rows' | 'way'>;
  readonly backfillFrom: number | 'all' | null;
}

/** What a part brought. */
export function takePart(scan: Scan, { definition, selection, read, backfillFrom }: PartRead): Part {
  const { captureObjects, capturePeriod, sortMethod } = definition;
  const cursor = scan.mark?.cursor ?? null;
  const rows = withTies(inOrderOfCapture(read.rows, sortMethod)).filter(({ at }) => cursor === null || at >= cursor);
  const seen = new Set(scan.mark?.seen ?? []);
  const fresh = rows.filter(
    (row) => cursor === null || row.at > cursor || (row.at === cursor && !seen.has(signatureOf(row))),
  );
  // The row at the mark would be among them, if the meter had it still.
  const isLost = cursor !== null && !scan.isAttached && rows[0] !== undefined && rows[0].at > cursor;
  const reading: ProfileReading = {
    captureObjects,
    capturePeriod,
    entriesInUse: isLost ? rows.length : null,
    profileEntries: null,
    rows,
    // Later parts bring rows that are later than the time which was read before the first.
    meterTime: scan.isFirst ? surely(definition, scan.mark) : null,
  };
  const events = profileEvents(scan.mark, reading);
  const watched = markAfter(scan.mark, reading);
  const mark: FollowMark = { ...watched, seen: seenAt(watched.cursor, rows, scan.mark), backfillFrom };
  const end = Math.max(scan.from, surely(definition, scan.mark) ?? selection.to);
  const isWhole = scan.isWhole || !(read.way === 'range' || read.way === 'range-local');
  const next: Scan = {
    mark,
    from: fresh.length > 0 && mark.cursor !== null ? mark.cursor : selection.to,
    isAttached: scan.isAttached || rows.some(({ at }) => at === cursor) || fresh.length > 0,
    isWhole,
    isFirst: false,
  };
  return { rows: fresh, events, mark, next: selection.to >= end ? null : next };
}

/** The mark once the rows up to one of them are stored. */
export function markAt(mark: FollowMark, rows: readonly TimedRow[], last: TimedRow): FollowMark {
  return { ...mark, cursor: last.at, seen: seenAt(last.at, rows, null) };
}

function seenAt(cursor: number | null, rows: readonly TimedRow[], before: FollowMark | null): readonly string[] {
  const here = rows.filter(({ at }) => at === cursor).map(signatureOf);
  return here.length === 0 && before?.cursor === cursor ? before.seen : here;
}

/** Rows that tell their time, and how many of the same time come before each. */
function withTies(rows: readonly ProfileRow[]): readonly TimedRow[] {
  let tie = 0;
  let before: number | null = null;
  return rows.flatMap((row): TimedRow[] => {
    const { at } = row;
    if (at === null) return [];
    tie = at === before ? tie + 1 : 0;
    before = at;
    return [{ ...row, at, tie }];
  });
}
