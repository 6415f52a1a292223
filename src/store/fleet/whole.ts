/** Meters with everything that belongs to them, as they could be stored anew: for showing, editing and exporting. */
import { grouped } from '../../core/grouped.ts';
import type { Fleet, Meter, NewMeter, NewPointGroup, NewProfile, Point } from './types.ts';

export interface WholeMeter extends NewMeter {
  readonly enabled: boolean;
  /** By an operator. */
  readonly suspended: boolean;
  /** The target in which its device was deleted, by name; null while it was not. */
  readonly deletedFrom: string | null;
  readonly profiles: readonly NewProfile[];
  readonly template: string | null;
}

/** All meters of the fleet, in its order. */
export function wholeMeters(fleet: Fleet): WholeMeter[] {
  const links = new Map(fleet.lines.map(({ id, link }) => [id, link]));
  const tokens = new Map(
    fleet.connections.flatMap(({ meterId, token }) => (meterId === null ? [] : [[meterId, token]])),
  );
  const points = grouped(fleet.points, ({ groupId }) => groupId);
  const groups = grouped(fleet.groups, ({ meterId }) => meterId);
  const profiles = grouped(fleet.profiles, ({ meterId }) => meterId);
  const targetOf = targetNames(fleet);
  return fleet.meters.map(({ id, lineId, name, enabled, suspended, deletedFrom, settings, secrets, template }) => {
    const token = tokens.get(id);
    return {
      name,
      link: links.get(lineId) ?? '',
      enabled,
      suspended,
      deletedFrom: deletedFrom === null ? null : (targetOf.get(deletedFrom) ?? null),
      settings,
      secrets,
      template,
      groups: (groups.get(id) ?? []).map(
        (group): NewPointGroup => ({
          name: group.name,
          intervalMs: group.intervalMs,
          points: (points.get(group.id) ?? []).map(withoutIds),
        }),
      ),
      profiles: (profiles.get(id) ?? []).map(({ id: _, meterId: __, ...profile }): NewProfile => profile),
      ...(token === undefined ? {} : { token }),
    };
  });
}

/** By connection. */
function targetNames({ connections, targets }: Fleet): Map<number, string> {
  const names = new Map(targets.map(({ id, name }) => [id, name]));
  return new Map(connections.map(({ id, targetId }) => [id, names.get(targetId) ?? '']));
}

/** One meter by its name; undefined when there is none. */
export function wholeMeter(fleet: Fleet, name: string): WholeMeter | undefined {
  const meter: Meter | undefined = fleet.meters.find((one) => one.name === name);
  if (meter === undefined) return undefined;
  const own = <T extends { readonly meterId: number | null }>(rows: readonly T[]): T[] =>
    rows.filter(({ meterId }) => meterId === meter.id);
  const groups = own(fleet.groups);
  const groupIds = new Set(groups.map(({ id }) => id));
  const points = fleet.points.filter(({ groupId }) => groupIds.has(groupId));
  const [whole] = wholeMeters({
    ...fleet,
    meters: [meter],
    groups,
    points,
    profiles: own(fleet.profiles),
  });
  return whole;
}

function withoutIds({ classId, obis, attribute, key, options }: Point): Omit<Point, 'id' | 'groupId'> {
  return { classId, obis, attribute, key, options };
}
