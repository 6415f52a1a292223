/**
 * Asks a session's server for its limits. Delivery waits for the answer a moment, and not at all on a server that gave
 * none the last time; an answer that comes later counts from then on.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { MqttSession } from '../session/connection.ts';
import { RPC_REQUEST, RPC_RESPONSE, RPC_RESPONSES } from '../session/topics.ts';
import { parseSessionLimits } from './session-limits.ts';
import type { Throttle } from './throttle.ts';

const WAIT_MS = 1000;
const REQUEST_ID = 1;

export class LimitsQuestion {
  private readonly throttle: Throttle;
  private readonly clock: Clock;
  private readonly logger: Logger;
  /** Of the last session that was asked. */
  private wasAnswered = true;
  private told = '';

  constructor(throttle: Throttle, clock: Clock, logger: Logger) {
    this.throttle = throttle;
    this.clock = clock;
    this.logger = logger;
  }

  /** Calls `ready` once, when delivery may begin, and `changed` whenever an answer came; neither after the session's end. */
  ask(session: MqttSession, ready: () => void, changed: () => void): void {
    let isReady = false;
    const begin = (): void => {
      if (isReady) return;
      isReady = true;
      timer?.cancel();
      if (!session.ended) ready();
    };
    const mayWait = this.wasAnswered;
    this.wasAnswered = false;
    const timer = mayWait ? this.clock.setTimer(WAIT_MS, begin) : null;
    void session.closed.then(() => timer?.cancel());
    session.onMessage((topic, payload) => {
      if (topic !== `${RPC_RESPONSE}${REQUEST_ID}`) return;
      this.take(payload);
      changed();
      begin();
    });
    session.subscribe(RPC_RESPONSES);
    session.request({ topic: `${RPC_REQUEST}${REQUEST_ID}`, payload: '{"method":"getSessionLimits","params":{}}' });
    if (!mayWait) begin();
  }

  private take(payload: string): void {
    const limits = parseSessionLimits(payload);
    if (limits === null) return;
    this.wasAnswered = true;
    this.throttle.update(limits, this.clock.monotonic());
    if (payload === this.told) return;
    this.told = payload;
    this.logger.debug({ limits }, 'ThingsBoard told its session limits; 80 % of each is kept');
  }
}
