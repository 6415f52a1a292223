/**
 * Keeps the alerts: takes what is observed, says what changed once (log, database, the bridge's own device), and goes on
 * after a restart where it was. The rules are in `alert/`.
 */
import { ACTIVE, type AlertState, evaluate, type Observed, QUIET } from '../alert/evaluate.ts';
import { ALERT_RULES, type AlertCode, type AlertRule } from '../alert/rules.ts';
import { asBridgeError } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { AlertChange, StoredAlert, StoredRival } from '../store/local/alerts.ts';
import type { Writer } from '../store/local/types.ts';

export interface Observation {
  readonly code: AlertCode;
  /** A meter, line or target by name; `daemon` for all of it. */
  readonly subject: string;
  readonly value: Observed;
  /** What a person is told when it is raised. */
  readonly detail: string;
}

export interface AlertNotice {
  readonly code: AlertCode;
  readonly subject: string;
  readonly change: 'raised' | 'cleared';
  readonly detail: string;
  /** Milliseconds UTC. */
  readonly at: number;
  /** Alerts that are active now. */
  readonly active: number;
}

export interface AlertDeskDependencies {
  readonly writer: Pick<Writer, 'changeAlert'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Alerts that were active when the process before ended. */
  readonly earlier: readonly StoredAlert[];
  /** Tells the outside of a change. */
  onNotice(notice: AlertNotice): void;
}

interface Entry {
  readonly code: AlertCode;
  readonly subject: string;
  state: AlertState;
}

export class AlertDesk {
  private readonly deps: AlertDeskDependencies;
  private readonly entries = new Map<string, Entry>();
  private writing: Promise<void> = Promise.resolve();

  constructor(deps: AlertDeskDependencies) {
    this.deps = deps;
    for (const { code, subject, cleared } of deps.earlier) {
      if (cleared === null) this.entry(code, subject).state = ACTIVE;
    }
  }

  observe({ code, subject, value, detail }: Observation): void {
    const entry = this.entry(code, subject);
    const { state, change } = evaluate(ALERT_RULES[code], entry.state, value, this.deps.clock.monotonic());
    entry.state = state;
    if (change !== null) this.tell(entry, change, detail);
    if (!state.active && state.changingSince === null) this.entries.delete(keyOf(code, subject));
  }

  /** Clears what is about subjects that are no more: a meter or target that was removed. */
  keepOnly(codes: readonly AlertCode[], subjects: ReadonlySet<string>): void {
    for (const entry of [...this.entries.values()]) {
      if (!codes.includes(entry.code) || subjects.has(entry.subject)) continue;
      this.entries.delete(keyOf(entry.code, entry.subject));
      if (entry.state.active) this.tell(entry, 'cleared', 'it is no more');
    }
  }

  isActive(code: AlertCode, subject: string): boolean {
    return this.entries.get(keyOf(code, subject))?.state.active === true;
  }

  /** Who it is, found out later. */
  nameRival(subject: string, rival: StoredRival): void {
    const { pid, uid, command, unit } = rival;
    const who = command === null ? `a process of user ${uid}` : `${command} (process ${pid}, user ${uid})`;
    const stop = unit === null ? (pid === null ? '' : `: stop it with kill ${pid}`) : `: systemctl stop ${unit}`;
    this.deps.log.error(
      { code: 'TOKEN_CONFLICT', subject, pid, uid, command, unit },
      `CONFLICT: on this host ${who} is connected to the same broker${stop}`,
    );
    this.write({ kind: 'rival', code: 'TOKEN_CONFLICT', subject, rival });
  }

  active(): number {
    return [...this.entries.values()].filter(({ state }) => state.active).length;
  }

  /** Resolves when everything told so far is written, or could not be. */
  async written(): Promise<void> {
    await this.writing;
  }

  private entry(code: AlertCode, subject: string): Entry {
    const key = keyOf(code, subject);
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const fresh = { code, subject, state: QUIET };
    this.entries.set(key, fresh);
    return fresh;
  }

  private tell({ code, subject }: Entry, change: 'raised' | 'cleared', detail: string): void {
    const { log, clock, onNotice } = this.deps;
    const at = clock.now();
    const { severity, hint }: AlertRule = ALERT_RULES[code];
    const fields = { code, subject, severity, hint };
    if (change === 'raised') log.error(fields, `ALERT ${code} ${subject}: ${detail}`);
    else log.info(fields, `ALERT ${code} ${subject} is over`);
    this.write(
      change === 'raised' ? { kind: 'raise', code, subject, at, detail } : { kind: 'clear', code, subject, at },
    );
    onNotice({ code, subject, change, detail, at, active: this.active() });
  }

  /** In the order in which things happened. A database that cannot be written must not keep an alert from being told. */
  private write(change: AlertChange): void {
    const { writer, log } = this.deps;
    this.writing = this.writing
      .then(() => writer.changeAlert(change))
      .catch((thrown: unknown) => log.warn({ code: asBridgeError(thrown).code }, 'alert not written down'));
  }
}

function keyOf(code: AlertCode, subject: string): string {
  return `${code}|${subject}`;
}
