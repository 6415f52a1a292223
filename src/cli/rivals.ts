/** Who of this host may be the other client of a conflict, in words. */
import { statSync } from 'node:fs';
import { type Rival, rivalsAt } from '../thingsboard/conduct/rival.ts';

/**
 * Processes of this host that are connected to a broker, the daemon left out: by its pid, or by its user where the pids of
 * other users are not seen. `daemonPid`: null without one.
 */
export async function rivalsBeside(brokerUrl: string, daemonPid: number | null): Promise<readonly string[]> {
  const ourUid = daemonPid === null ? undefined : statSync(`/proc/${daemonPid}`, { throwIfNoEntry: false })?.uid;
  const rivals = await rivalsAt(brokerUrl);
  return rivals.filter(({ pid, uid }) => (pid === null ? uid !== ourUid : pid !== daemonPid)).map(rivalText);
}

function rivalText({ pid, uid, command, unit }: Rival): string {
  if (pid === null) return `a process of user ${uid} (root sees which)`;
  return `${command ?? 'a process'} (pid ${pid}, user ${uid}${unit === null ? '' : `, ${unit}`})`;
}
