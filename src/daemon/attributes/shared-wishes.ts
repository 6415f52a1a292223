/**
 * What ThingsBoard wants by shared attributes, judged against the declarations of the settings; pure. Only a wish that is
 * another than the one seen before counts: what an operator sets here stays until the server wants something else.
 */
import { faultOf, isSecret, readSetting, settingNamed } from '../../core/setting.ts';
import { BRIDGE_SETTINGS, type BridgeSettings } from '../../store/fleet/bridge-settings.ts';
import type { SharedChange } from '../../store/fleet/shared-attributes.ts';
import type { PointGroup } from '../../store/fleet/types.ts';
import { intervalKeys, POLL_INTERVAL } from './interval-keys.ts';

/** The value of a shared attribute; undefined: it was deleted. By key. */
export type Wishes = ReadonlyMap<string, unknown>;

export interface Judged {
  readonly change: Pick<SharedChange, 'seen' | 'settings' | 'intervals'>;
  /** By key of what is news: why it is not followed, null where it is. */
  readonly faults: ReadonlyMap<string, string | null>;
}

/** What a wish comes to: a value, a fault, or nothing. */
type Outcome<T> = { readonly value: T } | { readonly fault: string } | null;

const LONGEST_VALUE = 1000;
const LEAST_SECONDS = 0.1;
const MOST_SECONDS = 31_536_000;

/** Names of the settings that ThingsBoard may set: a secret is never sent through attributes. */
export const SHARED_SETTINGS: readonly string[] = Object.entries(BRIDGE_SETTINGS)
  .filter(([, setting]) => !isSecret(setting))
  .map(([name]) => name);

/** A setting whose wish is deleted has its default again, if the wish is what applies. */
export function judgeBridge(settings: BridgeSettings, seen: ReadonlyMap<string, string>, wishes: Wishes): Judged {
  const { values, ...judged } = judge(seen, wishes, (key, wish, before): Outcome<unknown> => {
    const setting = settingNamed(BRIDGE_SETTINGS, key);
    if (wish === undefined) {
      return applies(setting, before, settings[key as keyof BridgeSettings]) ? { value: setting.default } : null;
    }
    const value = typeof wish === 'string' ? readSetting(setting, wish) : wish;
    const fault = faultOf(key, setting, value === undefined ? wish : value);
    return fault === null ? { value } : { fault };
  });
  return { ...judged, change: { ...judged.change, settings: Object.fromEntries(values), intervals: [] } };
}

/** An interval whose wish is deleted stays as it is: there is no other that it could go back to. */
export function judgeMeter(groups: readonly PointGroup[], seen: ReadonlyMap<string, string>, wishes: Wishes): Judged {
  const byKey = followedGroups(groups);
  const { values, ...judged } = judge(seen, wishes, (key, wish): Outcome<SharedChange['intervals'][number]> => {
    const group = byKey.get(key);
    if (wish === undefined || group === undefined) return null;
    const seconds = typeof wish === 'string' && wish.trim() !== '' ? Number(wish) : wish;
    if (typeof seconds !== 'number' || !(seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS)) {
      return { fault: `${key} takes ${LEAST_SECONDS} to ${MOST_SECONDS} seconds, not ${shown(wish)}` };
    }
    return { value: { groupId: group.id, intervalMs: Math.round(seconds * 1000) } };
  });
  return { ...judged, change: { ...judged.change, settings: {}, intervals: values.map(([, value]) => value) } };
}

/** Groups by each key that they can be set by: the first by its short key and by its name. */
export function followedGroups(groups: readonly PointGroup[]): Map<string, PointGroup> {
  return new Map([
    ...groups.map((group) => [`${POLL_INTERVAL}.${group.name}`, group] as const),
    ...intervalKeys(groups),
  ]);
}

function judge<T>(
  seen: ReadonlyMap<string, string>,
  wishes: Wishes,
  outcomeOf: (key: string, wish: unknown, before: string | undefined) => Outcome<T>,
): {
  readonly change: Pick<SharedChange, 'seen'>;
  readonly faults: Map<string, string | null>;
  readonly values: [string, T][];
} {
  const remembered: Record<string, string | null> = {};
  const faults = new Map<string, string | null>();
  const values: [string, T][] = [];
  for (const [key, wish] of wishes) {
    const before = seen.get(key);
    const text = wish === undefined ? undefined : shown(wish);
    if (text === before) continue;
    remembered[key] = text ?? null;
    const outcome = outcomeOf(key, wish, before);
    faults.set(key, outcome !== null && 'fault' in outcome ? outcome.fault : null);
    if (outcome !== null && 'value' in outcome) values.push([key, outcome.value]);
  }
  return { change: { seen: remembered }, faults, values };
}

function applies(setting: ReturnType<typeof settingNamed>, before: string | undefined, now: unknown): boolean {
  if (before === undefined || before.length >= LONGEST_VALUE) return false;
  const wish: unknown = JSON.parse(before);
  return (typeof wish === 'string' ? readSetting(setting, wish) : wish) === now;
}

/** No setting takes a list or an object, and those may be nested deeper than they can be written. */
function shown(wish: unknown): string {
  if (typeof wish === 'object' && wish !== null) return Array.isArray(wish) ? '[]' : '{}';
  return (JSON.stringify(wish) ?? 'null').slice(0, LONGEST_VALUE);
}
