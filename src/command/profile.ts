/** `profile`: rows of a profile; a long range in portions between which polls have their turn. */
import type { ProfileRow } from '../dlms/cosem/profile-buffer.ts';
import { inOrderOfCapture, profileEvents } from '../dlms/cosem/profile-watch.ts';
import type { Knowledge, LearnedFact } from '../meter/knowledge.ts';
import { type OpenedProfile, openProfile, readProfileRows } from '../meter/profile.ts';
import type { ProfileDefinition, ProfileSelection } from '../meter/profile-access.ts';
import type { MeterSession } from '../meter/session.ts';
import {
  type DescribedColumn,
  type DescribedEvent,
  type DescribedRow,
  describedColumn,
  describedEvent,
  describedRow,
} from './profile-document.ts';
import { type ProfileRange, portionCount, portionsOf } from './profile-portions.ts';
import type { ProfileRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface ProfileDocument {
  readonly obis: string;
  readonly capturePeriod: number;
  readonly entriesInUse: number | null;
  readonly profileEntries: number | null;
  readonly columns: readonly DescribedColumn[];
  readonly rows: readonly DescribedRow[];
  /** What the rows tell among themselves. */
  readonly events: readonly DescribedEvent[];
  readonly roundTrips: number;
}

/** The first job: what the profile is, and the first of its rows. */
interface Begun {
  readonly opened: OpenedProfile;
  readonly rows: readonly ProfileRow[];
  /** Portions still to be read. */
  readonly rest: readonly ProfileSelection[];
  readonly learned: readonly LearnedFact[];
}

/** The rows of a range in portions go to `work.portion`, and `rows` of the document stays empty then. */
export async function profile(work: MeterWork, { obis, selection }: ProfileRequest): Promise<ProfileDocument> {
  let roundTrips = 0;
  const counted = <T>(run: (session: MeterSession) => Promise<T>): Promise<T> =>
    work.job(async (session) => {
      const before = session.counts.roundTrips;
      const value = await run(session);
      roundTrips += session.counts.roundTrips - before;
      return value;
    });
  const { opened, rows, rest, learned } = await counted((session) => begin(session, obis, selection, work.knowledge));
  await work.keep(learned);
  const { definition, columns } = opened;
  /** What events follow from, without the values. */
  const moments = rows.map(momentOf);
  const describe = (row: ProfileRow): DescribedRow => describedRow(row, opened);
  const give = async (portion: readonly ProfileRow[], done: number): Promise<void> => {
    await work.portion(portion.map(describe), `${moments.length} rows, portion ${done} of ${rest.length + 1}`);
  };
  if (rest.length > 0) await give(rows, 1);
  for (const [index, portion] of rest.entries()) {
    const read = await counted((session) => readProfileRows(session, obis, definition, portion, work.knowledge));
    for (const row of read.rows) moments.push(momentOf(row));
    await give(read.rows, index + 2);
  }
  const { capturePeriod, entriesInUse, profileEntries, sortMethod } = definition;
  return {
    obis,
    capturePeriod,
    entriesInUse,
    profileEntries,
    columns: columns.map(describedColumn),
    rows: rest.length > 0 ? [] : rows.map(describe),
    events: profileEvents(null, { ...definition, rows: inOrderOfCapture(moments, sortMethod) }).map(describedEvent),
    roundTrips,
  };
}

function momentOf({ at, clock }: ProfileRow): Pick<ProfileRow, 'at' | 'clock'> {
  return { at, clock };
}

async function begin(
  session: MeterSession,
  obis: string,
  selection: ProfileSelection,
  knowledge: Knowledge,
): Promise<Begun> {
  const opened = await openProfile(session, obis, knowledge);
  const { definition } = opened;
  const read = (wanted: ProfileSelection) => readProfileRows(session, obis, definition, wanted, knowledge);
  const portions = await cut(definition, selection, read);
  const first = await read(portions[0] ?? selection);
  const learned = [...opened.learned, ...first.learned];
  const [, ...rest] = portions;
  if (rest.length === 0 || BY_RANGE.has(first.way)) return { opened, rows: first.rows, rest, learned };
  // A meter that takes no range reads much more than a portion each time: then all of it at once.
  const whole = await read(selection);
  return { opened, rows: whole.rows, rest: [], learned: [...learned, ...whole.learned] };
}

type Read = (selection: ProfileSelection) => ReturnType<typeof readProfileRows>;

const BY_RANGE: ReadonlySet<string> = new Set(['range', 'range-local']);

/** The portions of a selection in the order of the buffer; one for everything that is not a long range by time. */
async function cut(
  { capturePeriod, sortMethod, entriesInUse }: ProfileDefinition,
  selection: ProfileSelection,
  read: Read,
): Promise<readonly ProfileSelection[]> {
  const isByTime = sortMethod === 'fifo' || sortMethod === 'lifo';
  if (selection.kind !== 'range' || capturePeriod === 0 || !isByTime || entriesInUse === null) return [selection];
  if (portionCount(selection, capturePeriod) === 1) return [selection];
  const extent = await extentOf(entriesInUse, read);
  if (extent === null) return [selection];
  const portions: readonly ProfileRange[] = portionsOf(selection, capturePeriod, extent);
  if (portions.length === 0) return [selection];
  return sortMethod === 'lifo' ? [...portions].reverse() : portions;
}

/** When the oldest and the newest row were captured; null when the meter does not tell by entries. */
async function extentOf(
  entriesInUse: number,
  read: Read,
): Promise<{ readonly oldest: number; readonly newest: number } | null> {
  const moments: number[] = [];
  for (const entry of [1, entriesInUse]) {
    const { rows, way } = await read({ kind: 'entries', first: entry, last: entry });
    const at = rows[0]?.at ?? null;
    if (way !== 'entries' || at === null) return null;
    moments.push(at);
  }
  return { oldest: Math.min(...moments), newest: Math.max(...moments) };
}
