/** `clock`: what the meter's clock says, how far it is off, and setting it by the host's. */
import type { JsonValue } from '../core/json.ts';
import { isoText } from '../dlms/axdr/date-time.ts';
import { type MeterTime, readClock, setClock } from '../meter/meter-clock.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ClockRequest } from './requests.ts';
import type { MeterWork } from './work.ts';

export interface ClockDocument {
  readonly time: string | null;
  readonly utc: string | null;
  readonly hostTime: string;
  /** Positive for a clock that is ahead; before it was set. */
  readonly driftSeconds: number | null;
  readonly deviation: number | null;
  readonly clockStatus: { readonly [bit: string]: JsonValue } | null;
  readonly set: string | null;
}

interface Compared extends MeterTime {
  /** Milliseconds UTC on the host when the meter said its time: the middle of the round trip. */
  readonly hostTime: number;
}

/** Throws DATA_ACCESS_*, MALFORMED, UNSUPPORTED for a meter that tells no deviation. */
export async function clock(
  { job, beginActing, clock: ours }: MeterWork,
  request: ClockRequest,
): Promise<ClockDocument> {
  const { before, written } = await job(async (session) => {
    const before = await compare(session, ours);
    if (!request.set) return { before, written: null };
    await beginActing(session);
    return { before, written: await setClock(session, before, ours.now()) };
  });
  const { time, at, hostTime } = before;
  return {
    time: isoText(time),
    utc: at === null ? null : new Date(at).toISOString(),
    hostTime: new Date(hostTime).toISOString(),
    driftSeconds: at === null ? null : Math.round((at - hostTime) / 10) / 100,
    deviation: time.deviation,
    clockStatus: time.clockStatusBits === undefined ? null : { ...time.clockStatusBits },
    set: written === null ? null : isoText(written),
  };
}

async function compare(session: MeterSession, ours: Clock): Promise<Compared> {
  const asked = ours.now();
  const time = await readClock(session);
  return { ...time, hostTime: Math.round((asked + ours.now()) / 2) };
}
