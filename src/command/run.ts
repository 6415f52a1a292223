/** One command under way: its work on the meter, and what may end it before its time. */
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { type JsonValue, writeJson } from '../core/json.ts';
import { type LearnedFact, recallShortNames } from '../meter/knowledge.ts';
import type { MeterSession } from '../meter/session.ts';
import { sleep } from '../runtime/clock.ts';
import { commandArguments, type StoredCommand, sealPart } from '../store/local/commands.ts';
import { perform } from './perform.ts';
import { type CommandedMeter, type ExecutorDependencies, keepLearned } from './ports.ts';
import { decodeRequest } from './requests.ts';
import { type CommandEvent, nextState, TRANSITIONS } from './states.ts';
import type { MeterWork } from './work.ts';

export interface CommandOutcome {
  readonly event: CommandEvent;
  readonly error: BridgeError | null;
}

/** The cheapest thing that every association shows: its own logical name (Blue Book 4.4.4). */
const PROOF_OF_LIFE = { classId: 15, instanceId: '0.0.40.0.0.255', attributeId: 1 } as const;

/** How often, and how many times, a meter is looked for that the daemon does not know yet. */
const LOOK_AGAIN_MS = 100;
const MOST_LOOKS = 50;

export class CommandRun {
  private readonly command: StoredCommand;
  private readonly deps: ExecutorDependencies;
  private state: StoredCommand['state'];
  /** Something that changes the meter is being sent, or was. */
  private acting = false;
  /** What came of acting. */
  private actError: BridgeError | null = null;
  private parts = 0;
  /** What ended it from outside. */
  private ending: CommandOutcome | null = null;
  private readonly ended: Promise<never>;
  private rejectEnded!: (error: BridgeError) => void;

  constructor(command: StoredCommand, deps: ExecutorDependencies) {
    this.command = command;
    this.deps = deps;
    this.state = command.state;
    this.ended = new Promise((_, reject) => {
      this.rejectEnded = reject;
    });
    this.ended.catch(() => undefined);
  }

  /** Does the work. Never rejects. */
  async outcome(): Promise<CommandOutcome> {
    const { clock } = this.deps;
    const { deadline } = this.command;
    const timer = clock.setTimer(deadline - clock.now(), () => this.expire());
    try {
      if (deadline <= clock.now()) this.expire();
      const work = this.work();
      // Who ended early listens no more.
      work.catch(() => undefined);
      await Promise.race([work, this.ended]);
      return { event: 'succeed', error: null };
    } catch (thrown) {
      return this.ending ?? { event: 'fail', error: asBridgeError(thrown) };
    } finally {
      timer.cancel();
    }
  }

  cancel(): void {
    this.end('cancel', new BridgeError('COMMAND_CANCELLED', 'the command was cancelled'));
  }

  /** Ends it unless it acts on the meter: then what comes of that is told. */
  end(event: CommandEvent, error: BridgeError): void {
    if (this.ending !== null || this.acting || nextState(this.state, event, this.acting) === this.state) return;
    this.ending = { event, error };
    this.rejectEnded(error);
  }

  private expire(): void {
    const { createdAt, deadline } = this.command;
    const seconds = Math.round((deadline - createdAt) / 1000);
    this.end('deadline', new BridgeError('COMMAND_EXPIRED', `the command did not end within its ${seconds} s`));
  }

  private async work(): Promise<void> {
    const { database, writer, clock } = this.deps;
    const { id, meter: name } = this.command;
    this.throwIfEnded();
    const request = decodeRequest(commandArguments(database, id));
    const meter = await this.meterNamed(name);
    const work: MeterWork = {
      clock,
      knowledge: meter.knowledge,
      job: (run) => this.job(meter, run),
      beginActing: (session) => this.beginActing(session),
      keep: (learned: readonly LearnedFact[]) => keepLearned(this.deps, meter, learned),
      portion: (rows, progress) => this.portion(rows, progress),
    };
    try {
      const document = await perform(work, request);
      this.throwIfEnded();
      await writer.addCommandPart({ id, part: 0, json: sealPart(database.sealing(), id, 0, writeJson(document)) });
    } finally {
      meter.leave();
    }
  }

  /** A meter that was added or changed this moment is taken up by the daemon within seconds. Throws NOT_FOUND. */
  private async meterNamed(name: string): Promise<CommandedMeter> {
    for (let look = 0; look < MOST_LOOKS; look += 1) {
      const meter = this.deps.meterNamed(name);
      if (meter !== null) return meter;
      await sleep(this.deps.clock, LOOK_AGAIN_MS);
      this.throwIfEnded();
    }
    return fail('NOT_FOUND', `there is no meter "${name}"`);
  }

  private job<T>(meter: CommandedMeter, run: (session: MeterSession) => Promise<T>): Promise<T> {
    this.throwIfEnded();
    return meter.submit(async (session) => {
      await this.begin();
      recallShortNames(session, meter.knowledge);
      try {
        return await run(session);
      } catch (thrown) {
        if (this.acting) this.actError ??= asBridgeError(thrown);
        throw thrown;
      }
    });
  }

  /** Its first turn on the line: from here on the journal knows that it may have acted. */
  private async begin(): Promise<void> {
    this.throwIfEnded();
    if (this.state === 'running') return;
    const { from, to } = TRANSITIONS.begin;
    const { id } = this.command;
    const begun = await this.deps.writer.changeCommand({ id, from, to, at: this.deps.clock.now() });
    if (!begun) this.cancel();
    this.throwIfEnded();
    this.state = to;
  }

  private async beginActing(session: MeterSession): Promise<void> {
    // The line runs a job anew when a standing association turned out to be dead; what acts is not run twice.
    if (this.acting) throw outcomeOf(this.actError);
    // An association that died unnoticed shows now, while everything may still be tried again.
    await session.get([PROOF_OF_LIFE]).catch((thrown: unknown) => {
      if (!session.isAssociated) throw thrown;
    });
    this.throwIfEnded();
    this.acting = true;
  }

  private async portion(rows: readonly JsonValue[], progress: string): Promise<void> {
    this.throwIfEnded();
    const { database, writer } = this.deps;
    const { id } = this.command;
    this.parts += 1;
    const json = sealPart(database.sealing(), id, this.parts, writeJson(rows));
    await writer.addCommandPart({ id, part: this.parts, json, progress });
  }

  private throwIfEnded(): void {
    if (this.ending?.error) throw this.ending.error;
  }
}

/** A meter that answers with an exception has not done it; after anything else that cost the association nobody knows. */
function outcomeOf(error: BridgeError | null): BridgeError {
  if (error?.code === 'EXCEPTION_RESPONSE') return error;
  const why = error === null ? 'the association broke off' : `${error.code}: ${error.message}`;
  return new BridgeError('COMMAND_OUTCOME_UNKNOWN', `the meter did not say what came of it (${why})`, { cause: error });
}
