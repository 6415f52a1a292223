/**
 * The way to a line's port: opened when somebody needs it and may have it, left alone for a while when it cannot be
 * opened, closed on purpose. Drives the line's state.
 */
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { SignOnStyle, Transport } from '../transport/transport.ts';
import type { DeviceMonitor } from './device-manager.ts';
import { LinePort } from './port.ts';
import { LINE_RECOVERY, Recovery } from './recovery.ts';

export interface LineAccessOptions {
  readonly transport: Transport;
  readonly monitor: DeviceMonitor;
  readonly clock: Clock;
  /** Waits for leave to open the line; the function it gives is called when the opening is over. */
  readonly admit?: () => Promise<() => void>;
  /** Whether there is anything to open; always when absent. */
  readonly isReachable?: () => boolean;
  /** An open line broke: every association over it is gone. */
  readonly onLost: (reason: BridgeError) => void;
}

export class LineAccess {
  readonly port: LinePort;
  readonly monitor: DeviceMonitor;
  private readonly options: LineAccessOptions;
  private readonly recovery: Recovery;
  /** Why the line could not be opened last; null once it was. */
  private error: BridgeError | null = null;
  private readonly ended = new AbortController();

  constructor(options: LineAccessOptions) {
    this.options = options;
    this.monitor = options.monitor;
    this.recovery = new Recovery(LINE_RECOVERY, options.clock);
    const onClosed = (reason: BridgeError): void => {
      this.monitor.lost(reason);
      options.onLost(reason);
    };
    this.port = new LinePort(options.transport, onClosed);
  }

  /** Milliseconds for which the line is not to be opened; Infinity: until its meter opens it. */
  get restMs(): number {
    if (this.port.isOpen) return 0;
    return this.options.isReachable?.() === false ? Number.POSITIVE_INFINITY : this.recovery.restMs;
  }

  get isDown(): boolean {
    return this.error !== null;
  }

  /**
   * Opens the line unless it is open. Throws LINE_* or SERIAL_PORT_*, at once while the line rests from the same error,
   * unless it is urgent; and what the meter did wrong in a sign-on.
   */
  async ensureOpen(style: SignOnStyle, urgent: boolean): Promise<void> {
    if (this.port.isOpen) return;
    if (this.options.isReachable?.() === false) {
      fail('NOT_DIALLED_IN', `${this.port.description} has not dialled in`);
    }
    if (!urgent && this.recovery.restMs > 0 && this.error !== null) throw this.error;
    this.monitor.attempt();
    const opened = await this.admitted();
    try {
      await this.port.ensureOpen(style);
      this.recovery.reset();
      this.error = null;
      this.monitor.answered();
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.layer !== 'transport' || this.ended.signal.aborted) this.monitor.ended();
      else this.failed(error);
      throw error;
    } finally {
      opened();
    }
  }

  /** On purpose: nothing is wrong. */
  async close(): Promise<void> {
    await this.port.close();
    this.monitor.ended();
  }

  /** From now on a failing opening is what we wanted. */
  end(): void {
    this.ended.abort();
  }

  /** Throws STOPPING when the line ends while it waits for its leave. */
  private async admitted(): Promise<() => void> {
    const { admit } = this.options;
    const { signal } = this.ended;
    if (admit === undefined) return () => undefined;
    const leave = admit();
    await Promise.race([leave, aborted(signal)]);
    if (!signal.aborted) return leave;
    void leave.then((left) => left());
    return fail('STOPPING', 'the line is stopping');
  }

  private failed(error: BridgeError): void {
    this.error = error;
    const opened = this.recovery.failed();
    this.monitor.failed(error);
    if (!opened) return;
    this.monitor.exhausted(this.recovery.failures, error);
    this.monitor.suspend('breaker');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
