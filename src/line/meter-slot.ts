/** One meter on a line: its session, how it is doing, and when it may be tried again. */
import type { BridgeError } from '../core/errors.ts';
import type { MeterSecrets, MeterSettings } from '../dlms/settings.ts';
import type { MeterSession, SecurityPorts } from '../meter/session.ts';
import type { SignOnStyle } from '../transport/transport.ts';
import type { DeviceMonitor } from './device-manager.ts';
import type { PushTaker } from './heard-push.ts';
import type { Recovery, SavedRecovery } from './recovery.ts';

export interface MeterOnLine {
  readonly id: number;
  readonly name: string;
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly security: SecurityPorts;
  /** False releases the association after each job. */
  readonly keepSession?: boolean;
  /** Who takes what the meter pushes; without it pushes are only logged. */
  readonly pushes?: PushTaker;
  /** On lines where meters dial in: it can be reached from now on. */
  readonly onReachable?: () => void;
}

/** How a meter's line sees it; `recovery` is what is kept over a restart. */
export interface MeterRest {
  readonly recovery: SavedRecovery | null;
  /** Wall clock before which polls leave it alone; null: nothing keeps them. */
  readonly nextAttemptAt: number | null;
}

export class MeterSlot {
  readonly meter: MeterOnLine;
  readonly session: MeterSession;
  readonly recovery: Recovery;
  readonly monitor: DeviceMonitor;
  /** Suspended by an operator: nobody talks to it. */
  private held = false;

  constructor(meter: MeterOnLine, session: MeterSession, recovery: Recovery, monitor: DeviceMonitor) {
    this.meter = meter;
    this.session = session;
    this.recovery = recovery;
    this.monitor = monitor;
  }

  get isHeld(): boolean {
    return this.held;
  }

  get restMs(): number {
    return this.held ? Number.POSITIVE_INFINITY : this.recovery.restMs;
  }

  get signOnStyle(): SignOnStyle {
    const { baudSwitchWait, noBaudSwitch } = this.session.quirks;
    return { switchWaitMs: baudSwitchWait, switchBaud: !noBaudSwitch };
  }

  answered(): void {
    this.recovery.reset();
    if (!this.held) this.monitor.answered();
  }

  /** What is not the meter's doing leaves its breaker alone: `counts` false. */
  failed(error: BridgeError, counts: boolean): void {
    if (error.code === 'STOPPING') return;
    const opened = counts && this.recovery.failed();
    this.monitor.failed(error);
    if (!opened) return;
    this.monitor.exhausted(this.recovery.failures, error);
    this.monitor.suspend('breaker');
  }

  /** Over a restart of the daemon, or of the line. */
  restore(saved: SavedRecovery): void {
    this.recovery.restore(saved);
    if (this.recovery.isSuspended) this.monitor.suspend('breaker');
  }

  hold(held: boolean): void {
    if (held) this.monitor.suspend('operator');
    else if (this.held) this.monitor.resume();
    this.held = held;
  }

  /** The operator wants it tried now. */
  retry(): void {
    this.recovery.reset();
    if (!this.held) this.monitor.resume();
  }
}
