/**
 * A virtual meter that begins to talk: it connects to a listener, pushes at an interval, and may be polled over the same
 * connection. A confirmed push is sent again until it is confirmed; what it says stays the same.
 */

import { concat } from '../../core/bytes.ts';
import { asBridgeError } from '../../core/errors.ts';
import { clientAddress, serverAddress } from '../../dlms/hdlc/address.ts';
import { encodeFrame } from '../../dlms/hdlc/frame.ts';
import { LLC_RESPONSE } from '../../dlms/hdlc/llc.ts';
import { isGloDed, protectApdu, unprotectApdu } from '../../dlms/security/apdu-protection.ts';
import { securityControlFor } from '../../dlms/security/suite.ts';
import { encodeWrapper } from '../../dlms/wrapper.ts';
import { type Apdu, decodeApdu } from '../../dlms/xdlms/apdu.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Framing } from '../../transport/link-address.ts';
import type { Transport } from '../../transport/transport.ts';
import { endpointOf, type Site } from './endpoint.ts';
import { MeterLine } from './line.ts';
import { pushEndpoint } from './push-endpoint.ts';
import { type PushedApdu, type PushShape, pushedAt } from './push-shapes.ts';
import { readable } from './readable.ts';
import type { VirtualMeter } from './virtual-meter.ts';

export interface PushOptions {
  readonly everyMs: number;
  readonly shape: PushShape;
  readonly confirmed: boolean;
}

export interface CallerOptions {
  readonly meter: VirtualMeter;
  readonly site: Site;
  readonly framing: Framing;
  /** A new way to the listener. */
  readonly connect: () => Transport;
  /** The connection stands, and whoever is called may ask; else there is one for each push. */
  readonly stays: boolean;
  /** null: nothing is pushed. */
  readonly push: PushOptions | null;
  readonly clock: Clock;
  readonly answerDelayMs: number;
}

interface Waiting extends PushedApdu {
  readonly number: number;
  readonly at: number;
  isSaid: boolean;
}

/** WPort, or HDLC address, of the client that pushes are for (IDIS). */
const PUSH_CLIENT = 103;
const CONFIRM_WITHIN_MS = 3000;
const CALL_AGAIN_MS = 500;
/** Of a meter that nobody hears. */
const MOST_WAITING = 1000;

export class Caller {
  private readonly options: CallerOptions;
  private readonly stopped = new AbortController();
  private readonly waiting: Waiting[] = [];
  private pushes = 0;
  /** Ends the pause of the loop. */
  private wake: () => void = () => undefined;
  private line: MeterLine | null = null;
  private running: Promise<unknown> = Promise.resolve();

  constructor(options: CallerOptions) {
    this.options = options;
  }

  start(): void {
    this.running = Promise.all([this.call(), this.push()]);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    this.wake();
    await this.line?.close();
    await this.running;
  }

  private async push(): Promise<void> {
    const { push, meter, clock } = this.options;
    while (push !== null && !this.stopped.signal.aborted) {
      this.pushes += 1;
      // Date-times have hundredths of a second.
      const at = Math.floor(clock.now() / 10) * 10;
      const pushed = pushedAt(meter.model, push.shape, at, this.pushes, push.confirmed);
      if (this.waiting.length < MOST_WAITING) this.waiting.push({ ...pushed, number: this.pushes, at, isSaid: false });
      this.wake();
      await sleep(clock, push.everyMs, this.stopped.signal).catch(() => undefined);
    }
  }

  private async call(): Promise<void> {
    const { clock, stays } = this.options;
    const { signal } = this.stopped;
    while (!signal.aborted) {
      if (!stays && this.waiting.length === 0) {
        await this.pause(null);
        continue;
      }
      await this.connection().catch((thrown) => {
        // Nobody listens, or not any more: it is tried again.
        if (asBridgeError(thrown).code === 'INTERNAL') throw thrown;
      });
      if (stays || this.waiting.length > 0) await sleep(clock, CALL_AGAIN_MS, signal).catch(() => undefined);
    }
  }

  /** One connection, from its opening to its end. */
  private async connection(): Promise<void> {
    const { clock, framing, site, answerDelayMs, stays, connect } = this.options;
    const over = new AbortController();
    const endpoint = pushEndpoint(framing, endpointOf(framing, site), (apdu) => this.confirms(apdu));
    const ended = (): void => {
      over.abort();
      this.wake();
    };
    const line = new MeterLine({ transport: connect(), endpoint, clock, answerDelayMs, onClosed: ended });
    await line.open();
    this.line = line;
    try {
      while (!over.signal.aborted && !this.stopped.signal.aborted) {
        const [next] = this.waiting;
        if (next === undefined) {
          if (!stays) return;
          await this.pause(null);
        } else if (!(await this.sent(next, line))) return;
      }
    } finally {
      this.line = null;
      await line.close();
    }
  }

  /** false: it was not confirmed, the connection is not worth much. */
  private async sent(next: Waiting, line: MeterLine): Promise<boolean> {
    const { meter, push } = this.options;
    await line.say(this.framed(this.protectedApdu(next.apdu)));
    if (!next.isSaid) meter.remember(next.said, next.at, true);
    next.isSaid = true;
    if (push?.confirmed !== true || !isConfirmable(push.shape)) this.waiting.shift();
    else await this.pause(CONFIRM_WITHIN_MS, () => this.waiting[0] !== next);
    return this.waiting[0] !== next;
  }

  /** Until something happens, or for so long. */
  private async pause(ms: number | null, isOver: () => boolean = () => false): Promise<void> {
    if (isOver() || this.stopped.signal.aborted) return;
    const { clock } = this.options;
    await new Promise<void>((resolve) => {
      const timer = ms === null ? null : clock.setTimer(ms, resolve);
      this.wake = () => {
        // A new push ends no wait for a confirmation.
        if (ms !== null && !isOver() && !this.stopped.signal.aborted) return;
        timer?.cancel();
        resolve();
      };
    });
  }

  private confirms(octets: Uint8Array): boolean {
    const apdu = this.opened(octets);
    if (apdu?.apdu !== 'data-notification-confirm') return false;
    if (apdu.longInvokeIdAndPriority.invokeId === this.waiting[0]?.number) this.waiting.shift();
    this.wake();
    return true;
  }

  private opened(octets: Uint8Array): Apdu | null {
    const apdu = readable(() => decodeApdu(octets));
    const { keys } = this.options.meter.model.security;
    if (apdu === null || apdu.apdu !== 'general-glo-ciphering' || !isGloDed(apdu) || keys === null) return apdu;
    const received = {
      unicast: keys.encryption,
      broadcast: null,
      dedicated: null,
      authentication: keys.authentication,
    };
    return readable(() => decodeApdu(unprotectApdu(apdu, { ...received, systemTitle: null }).plaintext));
  }

  private protectedApdu(plain: Uint8Array): Uint8Array {
    const { security, counters } = this.options.meter.model;
    const { keys, policy, suite, systemTitle } = security;
    if (keys === null || policy === 'none') return plain;
    return protectApdu(plain, 'general-glo', {
      securityControl: securityControlFor(suite, policy),
      invocationCounter: counters.take(),
      encryptionKey: keys.encryption,
      authenticationKey: keys.authentication,
      systemTitle,
    });
  }

  private framed(apdu: Uint8Array): Uint8Array {
    const { meter, framing } = this.options;
    const { server } = meter.model.identity;
    if (framing === 'wrapper') return encodeWrapper(server, PUSH_CLIENT, apdu);
    return encodeFrame({
      destination: clientAddress(PUSH_CLIENT),
      source: serverAddress(server, meter.physical, null),
      control: { frameType: 'UI', pollFinal: false },
      segmented: false,
      information: concat([LLC_RESPONSE, apdu]),
    });
  }
}

/** Only data-notifications are confirmed. */
function isConfirmable(shape: PushShape): boolean {
  return shape !== 'event' && shape !== 'report';
}
