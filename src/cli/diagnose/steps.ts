/** The way from a meter to ThingsBoard as steps: each is walked, timed and judged; the first that fails ends the walk. */
import { asBridgeError, type BridgeError, type ErrorReport } from '../../core/errors.ts';
import { systemClock } from '../../runtime/clock.ts';

export const METER_STEPS = ['line', 'sign-on', 'link', 'association', 'hls', 'read', 'store', 'outbox'] as const;
export const BROKER_STEPS = ['dns', 'tcp', 'tls', 'connack', 'puback', 'token'] as const;
export type StepName = (typeof METER_STEPS)[number] | (typeof BROKER_STEPS)[number];

export interface Step {
  readonly name: string;
  readonly status: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  /** Null where it was not timed by itself. */
  readonly ms: number | null;
  readonly error: ErrorReport | null;
}

/** What a step found out: words for people, or why there was nothing to do. */
export type StepOutcome = string | { readonly skipped: string };

/** Steps so far. After a failure those that follow are only named. */
export class Walk {
  readonly steps: Step[] = [];
  /** Stands before the names of the steps to come: which of several connections they are of. */
  prefix = '';
  private readonly onStep: (step: Step) => void;

  constructor(onStep: (step: Step) => void) {
    this.onStep = onStep;
  }

  get failure(): Step | undefined {
    return this.steps.find(({ status }) => status === 'failed');
  }

  /** Walks one step unless one failed before; resolves with whether to go on. */
  async step(name: StepName, walk: () => Promise<StepOutcome> | StepOutcome): Promise<boolean> {
    if (this.failure !== undefined) {
      this.add({ name, status: 'skipped', detail: 'not reached', ms: null, error: null });
      return false;
    }
    const began = systemClock.monotonic();
    const elapsed = (): number => Math.round(systemClock.monotonic() - began);
    try {
      const outcome = await walk();
      if (typeof outcome === 'string') this.add({ name, status: 'ok', detail: outcome, ms: elapsed(), error: null });
      else this.add({ name, status: 'skipped', detail: outcome.skipped, ms: null, error: null });
      return true;
    } catch (thrown) {
      this.fail(name, asBridgeError(thrown), elapsed());
      return false;
    }
  }

  /** Several steps that happened at once: those before the one that failed went well. */
  together(
    names: readonly StepName[],
    detail: (name: StepName) => string,
    failed: StepName | null,
    error: BridgeError | null,
  ): void {
    for (const name of names) {
      if (this.failure !== undefined) {
        this.add({ name, status: 'skipped', detail: 'not reached', ms: null, error: null });
      } else if (name === failed && error !== null) this.fail(name, error, null);
      else this.add({ name, status: 'ok', detail: detail(name), ms: null, error: null });
    }
  }

  private fail(name: StepName, error: BridgeError, ms: number | null): void {
    this.add({ name, status: 'failed', detail: `${error.message}: ${error.hint}`, ms, error: error.report() });
  }

  private add(step: Omit<Step, 'name'> & { readonly name: StepName }): void {
    const named = { ...step, name: `${this.prefix}${step.name}` };
    this.steps.push(named);
    this.onStep(named);
  }
}
