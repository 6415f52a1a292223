/** Who of this host may be the other client of a conflict, in words. */
import { statSync } from 'node:fs';
import { sleep, systemClock } from '../runtime/clock.ts';
import { type Rival, rivalsAt } from '../thingsboard/conduct/rival.ts';

/** A rival that a turn of ours threw out is back within seconds. */
const LOOK_FOR_MS = 2500;
const LOOK_EVERY_MS = 100;

/**
 * Processes of this host that are connected to a broker, the daemon left out: by its pid, or by its user where the pids of
 * other users are not seen. `daemonPid`: null without one. Looks for a while, until there is one.
 */
export async function rivalsBeside(brokerUrl: string, daemonPid: number | null): Promise<readonly string[]> {
  const ourUid = daemonPid === null ? undefined : statSync(`/proc/${daemonPid}`, { throwIfNoEntry: false })?.uid;
  for (let looked = 0; ; looked += LOOK_EVERY_MS) {
    const rivals = await rivalsAt(brokerUrl);
    const others = rivals.filter(({ pid, uid }) => (pid === null ? uid !== ourUid : pid !== daemonPid));
    if (others.length > 0 || looked >= LOOK_FOR_MS) return others.map(rivalText);
    await sleep(systemClock, LOOK_EVERY_MS);
  }
}

function rivalText({ pid, uid, command, unit }: Rival): string {
  if (pid === null) return `a process of user ${uid} (root sees which)`;
  return `${command ?? 'a process'} (pid ${pid}, user ${uid}${unit === null ? '' : `, ${unit}`})`;
}
