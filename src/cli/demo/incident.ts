/**
 * The incident of the demo: a rival with the gateway's token, and beside it what a program suffers that publishes in the
 * ordinary way (reconnects after a second, sends when it happens to be connected) under a rival of its own.
 */
import { connect, type MqttClient } from 'mqtt';
import { type Clock, sleep } from '../../runtime/clock.ts';
import { Rival } from '../../simulator/thingsboard/rival.ts';

export interface IncidentReport {
  /** How often the daemon's rival was let in. */
  readonly rivalSessions: number;
  /** Seconds from the rival's first connection until the daemon said CONFLICT; null: it did not. */
  readonly knownAfterSeconds: number | null;
  /** The ordinary program: messages it had to send, and those that were acknowledged. */
  readonly ordinary: { readonly messages: number; readonly delivered: number; readonly closes: number };
}

export interface IncidentOptions {
  readonly port: number;
  /** The daemon's token. */
  readonly token: string;
  /** Of the ordinary program's device. */
  readonly ordinaryToken: string;
  readonly intervalMs: number;
  readonly clock: Clock;
  /** Calls back when the daemon says CONFLICT. */
  onConflict(listener: () => void): void;
}

export interface Incident {
  /** The ordinary program ends; the rival stays, so that the daemon has to drain beside it. */
  endOrdinary(): Promise<void>;
  /** Ends the rivals. */
  end(): IncidentReport;
}

/** Paho and MQTT.js wait a second before they come back, others up to two. */
const comesBackAfter = (): number => 1000 + 1000 * Math.random();

export function startIncident(options: IncidentOptions): Incident {
  const { port, token, ordinaryToken, clock, intervalMs } = options;
  const begun = clock.monotonic();
  let knownAfterMs: number | null = null;
  options.onConflict(() => {
    knownAfterMs ??= clock.monotonic() - begun;
  });
  const rivals = [token, ordinaryToken].map((one) => new Rival({ port, token: one, clock, waitMs: comesBackAfter }));
  const ordinary = new OrdinaryProgram(port, ordinaryToken, intervalMs, clock);
  return {
    endOrdinary: () => ordinary.stop(),
    end() {
      for (const rival of rivals) rival.stop();
      return {
        rivalSessions: rivals[0]?.sessions ?? 0,
        knownAfterSeconds: knownAfterMs === null ? null : Math.round(knownAfterMs / 100) / 10,
        ordinary: ordinary.figures(),
      };
    },
  };
}

class OrdinaryProgram {
  private readonly client: MqttClient;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private readonly counts = { messages: 0, delivered: 0, closes: 0 };

  constructor(port: number, username: string, intervalMs: number, clock: Clock) {
    this.client = connect(`mqtt://127.0.0.1:${port}`, { username, reconnectPeriod: 1000, protocolVersion: 4 });
    this.client.on('error', () => undefined);
    this.client.on('close', () => {
      this.counts.closes += 1;
    });
    this.running = this.run(intervalMs, clock);
  }

  figures(): IncidentReport['ordinary'] {
    return { ...this.counts };
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.client.endAsync(true);
  }

  private async run(intervalMs: number, clock: Clock): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      // The end of the demo ends the wait early, which is no failure.
      await sleep(clock, intervalMs, signal).catch(() => undefined);
      if (!signal.aborted) this.publish();
    }
  }

  /** A message for which there is no connection is lost, as one that is not acknowledged. */
  private publish(): void {
    this.counts.messages += 1;
    if (!this.client.connected) return;
    const payload = JSON.stringify({ message: this.counts.messages });
    this.client.publish('v1/devices/me/telemetry', payload, { qos: 1 }, (error) => {
      if (!error) this.counts.delivered += 1;
    });
  }
}
