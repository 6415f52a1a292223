/** What the metrics show of a daemon at one moment. Nothing secret: names of targets, no links, no tokens. */
import type { AlertCode } from '../../alert/rules.ts';
import type { DeviceTotals } from '../../line/device-manager.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { totalOf } from '../../store/local/outbox-reader.ts';
import type { Totals } from '../../store/local/status.ts';
import type { ConnectionDepth, OutboxDepth } from '../../store/local/types.ts';
import type { ConnectionStatus } from '../publisher-set.ts';
import type { DaemonStatus } from './status-board.ts';

export interface TargetGauges {
  readonly target: string;
  readonly outbox: OutboxDepth;
  /** How many connections are in which state. */
  readonly states: ReadonlyMap<ConnectionStatus['state'], number>;
  /** Connections whose token another client uses. */
  readonly conflicts: number;
  /** The first certificate to expire, milliseconds UTC; null where none is known. */
  readonly certificateExpires: number | null;
}

export interface Gauges {
  /** Milliseconds UTC. */
  readonly now: number;
  readonly daemon: Pick<
    DaemonStatus,
    'startedAt' | 'cycles' | 'readings' | 'messages' | 'publishRate' | 'recentPublishRate' | 'late' | 'errors'
  >;
  readonly devices: Readonly<Record<'meter' | 'line', DeviceTotals>>;
  readonly jobsQueued: number;
  readonly targets: readonly TargetGauges[];
  readonly totals: Totals;
  readonly alerts: ReadonlyMap<AlertCode, number>;
}

/** Connections by their target: a token of its own for each meter must not be a series of its own. */
export function targetGauges(
  { targets, connections }: Fleet,
  depths: readonly ConnectionDepth[],
  statuses: ReadonlyMap<number, ConnectionStatus>,
): readonly TargetGauges[] {
  const depthOf = new Map(depths.map((depth) => [depth.connectionId, depth]));
  return targets.map(({ id: targetId, name }) => {
    const own = connections.filter((connection) => connection.targetId === targetId);
    const known = own.flatMap(({ id }) => statuses.get(id) ?? []);
    const states = new Map<ConnectionStatus['state'], number>();
    for (const { state } of known) states.set(state, (states.get(state) ?? 0) + 1);
    const expiries = known.flatMap(({ certificateExpires: at }) => (at === null ? [] : [Date.parse(at)]));
    return {
      target: name,
      outbox: totalOf(own.flatMap(({ id }) => depthOf.get(id) ?? [])),
      states,
      conflicts: known.filter(({ conflict }) => conflict).length,
      certificateExpires: expiries.length === 0 ? null : Math.min(...expiries),
    };
  });
}
