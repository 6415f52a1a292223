/**
 * Keeps the alerts: takes what is observed, says what changed once (log, database, the bridge's own device), and goes on
 * after a restart where it was. The rules are in `alert/`.
 */
import { ACTIVE, type AlertState, evaluate, type Observed, QUIET } from '../../alert/evaluate.ts';
import { ALERT_RULES, type AlertCode, type AlertRule, METER_ALERTS } from '../../alert/rules.ts';
import { asBridgeError } from '../../core/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { HostTime } from '../../runtime/host-time.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AlertChange, StoredAlert, StoredRival } from '../../store/local/alerts.ts';
import type { Writer } from '../../store/local/types.ts';

export interface Observation {
  readonly code: AlertCode;
  /** A meter, line or target by name; `daemon` for all of it. */
  readonly subject: string;
  readonly value: Observed;
  /** What a person is told when it is raised; asked for then only. */
  detail(): string;
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
  /** What the time is, as sure as it can be. */
  readonly hostTime: Pick<HostTime, 'now'>;
  readonly log: Logger;
  /** Alerts that were active when the process before ended. */
  readonly earlier: readonly StoredAlert[];
  /** Tells the outside of a change. */
  onNotice(notice: AlertNotice): void;
}

/** Far more than the changes of one look, at a millisecond each. */
const SAME_MOMENT_MS = 60_000;

export class AlertDesk {
  private readonly deps: AlertDeskDependencies;
  /** What is not quiet, by code and subject. */
  private readonly entries = new Map<AlertCode, Map<string, AlertState>>();
  private writing: Promise<void> = Promise.resolve();
  private lastAt = Number.NEGATIVE_INFINITY;
  private rules: Readonly<Record<AlertCode, AlertRule>> = ALERT_RULES;

  constructor(deps: AlertDeskDependencies) {
    this.deps = deps;
    for (const { code, subject, cleared } of deps.earlier) {
      if (cleared === null) this.keep(code, subject, ACTIVE);
    }
  }

  /** Other limits: what is active stays so until its own limit says otherwise. */
  judgeBy(rules: Readonly<Record<AlertCode, AlertRule>>): void {
    this.rules = rules;
  }

  observe({ code, subject, value, detail }: Observation): void {
    const previous = this.entries.get(code)?.get(subject) ?? QUIET;
    const { state, change } = evaluate(this.rules[code], previous, value, this.deps.clock.monotonic());
    if (state !== previous) this.keep(code, subject, state);
    if (change !== null) this.tell(code, subject, change, change === 'raised' ? detail() : '');
  }

  /** Raises an alert about something that is over already: it stays until its observation says otherwise. */
  announce(code: AlertCode, subject: string, detail: string): void {
    this.keep(code, subject, ACTIVE);
    this.tell(code, subject, 'raised', detail);
  }

  /** Clears what is about subjects that are no more: a meter or target that was removed. */
  keepOnly(codes: readonly AlertCode[], subjects: ReadonlySet<string>): void {
    for (const code of codes) {
      for (const [subject, { active }] of this.entries.get(code) ?? []) {
        if (subjects.has(subject)) continue;
        this.keep(code, subject, QUIET);
        if (active) this.tell(code, subject, 'cleared', '');
      }
    }
  }

  /** A meter has another name; what was written of it has it already. */
  rename(from: string, to: string): void {
    for (const code of METER_ALERTS) {
      const state = this.entries.get(code)?.get(from);
      if (state === undefined) continue;
      this.keep(code, from, QUIET);
      this.keep(code, to, state);
    }
  }

  /** Who it is, found out later. */
  nameRival(subject: string, rival: StoredRival): void {
    const { pid, uid, command, unit } = rival;
    const who = command === null ? `a process of user ${uid}` : `${command} (process ${pid}, user ${uid})`;
    // Who is connected too may have a token of its own.
    const stop = unit === null ? (pid === null ? null : `kill ${pid}`) : `systemctl stop ${unit}`;
    const advice = stop === null ? '' : `; if it uses the same token: ${stop}`;
    this.deps.log.error(
      { code: 'TOKEN_CONFLICT', subject, pid, uid, command, unit },
      `CONFLICT: on this host ${who} is connected to the same broker${advice}`,
    );
    this.write({ kind: 'rival', code: 'TOKEN_CONFLICT', subject, rival });
  }

  active(): number {
    return [...this.activeByCode().values()].reduce((sum, active) => sum + active, 0);
  }

  activeByCode(): ReadonlyMap<AlertCode, number> {
    return new Map(
      [...this.entries].map(([code, states]) => [code, [...states.values()].filter(({ active }) => active).length]),
    );
  }

  /** Resolves when everything told so far is written, or could not be. */
  async written(): Promise<void> {
    await this.writing;
  }

  private keep(code: AlertCode, subject: string, state: AlertState): void {
    const states = this.entries.get(code) ?? new Map<string, AlertState>();
    this.entries.set(code, states);
    if (state.active || state.changingSince !== null) states.set(subject, state);
    else states.delete(subject);
  }

  private tell(code: AlertCode, subject: string, change: 'raised' | 'cleared', detail: string): void {
    const { log, onNotice } = this.deps;
    const at = this.nextAt();
    const { severity, hint }: AlertRule = ALERT_RULES[code];
    const fields = { code, subject, severity, hint };
    if (change === 'raised') log.error(fields, `ALERT ${code} ${subject}: ${detail}`);
    else log.info(fields, `ALERT ${code} ${subject} is over`);
    this.write(
      change === 'raised' ? { kind: 'raise', code, subject, at, detail } : { kind: 'clear', code, subject, at },
    );
    onNotice({ code, subject, change, detail, at, active: this.active() });
  }

  /** ThingsBoard keeps one value for a key and time: two changes of one moment must not be one. */
  private nextAt(): number {
    const now = this.deps.hostTime.now();
    const isSameMoment = now <= this.lastAt && this.lastAt - now < SAME_MOMENT_MS;
    // A clock that was set back far is followed.
    this.lastAt = isSameMoment ? this.lastAt + 1 : now;
    return this.lastAt;
  }

  /** In the order in which things happened. A database that cannot be written must not keep an alert from being told. */
  private write(change: AlertChange): void {
    const { writer, log } = this.deps;
    this.writing = this.writing
      .then(() => writer.changeAlert(change))
      .catch((thrown: unknown) => log.warn({ code: asBridgeError(thrown).code }, 'alert not written down'));
  }
}
