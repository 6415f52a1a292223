/** What the daemon gives to commands. */
import type { Knowledge, LearnedFact } from '../meter/knowledge.ts';
import type { MeterSession } from '../meter/session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Database } from '../store/database.ts';
import type { Writer } from '../store/local/types.ts';

/** A configured meter on its line, polled or not. */
export interface CommandedMeter {
  readonly id: number;
  readonly name: string;
  readonly knowledge: Knowledge;
  /** One job on the meter's line, ahead of polls. Rejects with METER_*, LINE_*, STOPPING and the like. */
  submit<T>(run: (session: MeterSession) => Promise<T>): Promise<T>;
  /** The command has ended: a meter that is there for commands only may go. */
  leave(): void;
}

export interface ExecutorDependencies {
  /** Read-only. */
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
  /** null: there is no meter of that name. */
  meterNamed(name: string): CommandedMeter | null;
}

/** What commands learned of a meter is kept with what polls learn. */
export async function keepLearned(
  { writer, clock }: Pick<ExecutorDependencies, 'writer' | 'clock'>,
  meter: CommandedMeter,
  learned: readonly LearnedFact[],
): Promise<void> {
  if (learned.length === 0) return;
  const { id: meterId, name: device } = meter;
  await writer.commitCycle({
    cycleId: `learned-${meterId}`,
    meterId,
    device,
    createdAt: clock.now(),
    connectionIds: [],
    readings: [],
    learned,
  });
}
