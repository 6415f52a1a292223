/** How the poll intervals of a meter are called in ThingsBoard: `pollInterval`, `pollInterval.NAME`; in seconds. */
export const POLL_INTERVAL = 'pollInterval';

/** The first group by the short name, the others by their own. */
export function intervalKeys<Group extends { readonly name: string }>(groups: readonly Group[]): Map<string, Group> {
  return new Map(groups.map((group, index) => [index === 0 ? POLL_INTERVAL : `${POLL_INTERVAL}.${group.name}`, group]));
}
