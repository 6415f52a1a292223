/**
 * How much of a serial line's capacity is used while polls are pending: virtual meters on a paced line at 9600 baud, on
 * a virtual clock, each asked again as soon as it has answered. Time for which the meters themselves think is nobody's.
 */
import { test } from 'vitest';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { LineWorker } from '../../src/line/worker.ts';
import { unkeptCounters } from '../../src/meter/counters.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { readPoints } from '../../src/meter/points.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { startVirtualMeters } from '../../src/simulator/meter/fleet.ts';
import { pacedPair } from '../support/paced.ts';

const ANSWER_MS = 20;
const MINUTES = 10;
const POINTS = ['1.8.0', '2.8.0', '1.7.0', '2.7.0', '32.7.0', '31.7.0', '21.7.0', '3.8.0', '13.7.0', '14.7.0'].map(
  (code) => ({ classId: 3, obis: `1.0.${code}.255`, attribute: 2 }),
);

interface LineUse {
  readonly polls: number;
  readonly roundTrips: number;
  /** Of the whole time, and of the time that the meters' own answer times leave. */
  readonly ofAll: number;
  readonly ofRest: number;
}

async function lineUse(count: number): Promise<LineUse> {
  const clock = new VirtualClock();
  const { ours, theirs, busyMs } = pacedPair(clock, 9600);
  const options = { count, port: 0, auth: 'none', framing: 'hdlc', clock, answerDelayMs: ANSWER_MS } as const;
  const meters = await startVirtualMeters({ ...options, transport: theirs });
  const line = new LineWorker({ transport: ours, framing: 'hdlc', signsOn: false, clock, log: silentLogger });
  let polls = 0;
  let roundTrips = 0;
  let over = false;
  const pollForEver = async (id: number): Promise<void> => {
    const knowledge = knowledgeOf(new Map());
    while (!over) {
      roundTrips += await line.submit({
        meterId: id,
        priority: 'poll',
        due: clock.now(),
        run: async (session) => {
          const before = session.counts.roundTrips;
          await readPoints(session, POINTS, knowledge);
          return session.counts.roundTrips - before;
        },
      });
      polls += 1;
    }
  };
  for (const [index, { server, physical }] of meters.addresses.entries()) {
    line.setMeter({
      id: index + 1,
      name: `meter${index + 1}`,
      settings: { ...DEFAULT_METER_SETTINGS, server, physical },
      secrets: NO_SECRETS,
      security: { systemTitle: new Uint8Array(8), counters: unkeptCounters() },
    });
    void pollForEver(index + 1).catch(() => undefined);
  }
  const elapsed = MINUTES * 60_000;
  await clock.advance(elapsed);
  over = true;
  const thinking = roundTripsOf(count, polls, roundTrips) * ANSWER_MS;
  const busy = busyMs();
  await Promise.all([line.stop(0), clock.advance(10_000)]);
  return { polls, roundTrips, ofAll: busy / elapsed, ofRest: busy / (elapsed - thinking) };
}

/** On a multi-drop line each change of the meter costs DISC, SNRM, AARQ and RLRQ too. */
function roundTripsOf(count: number, polls: number, roundTrips: number): number {
  return count === 1 ? roundTrips : roundTrips + 4 * polls;
}

test('line use at 9600 baud', async () => {
  for (const count of [1, 20]) {
    const { polls, ofAll, ofRest } = await lineUse(count);
    const shown = `${count} meters on the line, answer time ${ANSWER_MS} ms: ${polls} polls in ${MINUTES} min`;
    process.stdout.write(
      `${shown}, line in use ${(ofAll * 100).toFixed(1)} % of the time, ${(ofRest * 100).toFixed(1)} % of what the answer times leave\n`,
    );
  }
});
