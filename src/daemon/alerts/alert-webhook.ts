/**
 * Posts each change of an alert to an address of the operator's, in order. It never holds anything up: what cannot be
 * posted waits in a short queue in memory, is tried again for as long as that may help, and is lost with the process. The
 * address may hold a token: it stands in no message.
 */
import querystring from 'node:querystring';
import { ALERT_RULES } from '../../alert/rules.ts';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type RetryPolicy, retrying } from '../../runtime/retry.ts';
import type { AlertNotice } from './alert-desk.ts';

export interface AlertWebhookOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Who we are to the receiver: the name of this host. */
  readonly bridge: string;
}

const MOST_WAITING = 1000;
const ANSWER_WITHIN_MS = 10_000;
const RETRY: RetryPolicy = {
  shape: 'exponential',
  base: 1000,
  max: 300_000,
  attempts: Number.POSITIVE_INFINITY,
  jitter: 'half',
};
/** What a server answers that may have the notice later. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429]);

export class AlertWebhook {
  private readonly options: AlertWebhookOptions;
  private readonly queue: AlertNotice[] = [];
  private url: string | null = null;
  /** Aborted when the address is another one, or none any more. */
  private turn = new AbortController();
  private delivering: Promise<void> | null = null;
  private isFailing = false;
  private lost = 0;

  constructor(options: AlertWebhookOptions) {
    this.options = options;
  }

  /** Where to post from now on; null for nowhere, and what waits is forgotten. */
  pointTo(url: string | null): void {
    if (url === this.url) return;
    this.url = url;
    this.isFailing = false;
    this.turn.abort();
    this.turn = new AbortController();
    if (url === null) this.queue.length = 0;
    this.deliver();
  }

  tell(notice: AlertNotice): void {
    if (this.url === null) return;
    this.queue.push(notice);
    if (this.queue.length > MOST_WAITING) {
      this.queue.shift();
      this.lost += 1;
    }
    this.deliver();
  }

  /** Ends at once; what waits is lost, and stands in the database all the same. */
  async stop(): Promise<void> {
    if (this.queue.length > 0) {
      this.options.log.warn(
        { waiting: this.queue.length },
        'alerts that the webhook did not take are not posted any more',
      );
    }
    this.pointTo(null);
    await this.delivering;
  }

  private deliver(): void {
    if (this.delivering !== null || this.queue.length === 0) return;
    this.delivering = this.deliverAll().finally(() => {
      this.delivering = null;
      this.deliver();
    });
  }

  private async deliverAll(): Promise<void> {
    for (let notice = this.queue[0]; notice !== undefined && this.url !== null; notice = this.queue[0]) {
      const { url, turn } = this;
      try {
        await this.postUntilTaken(url, notice, turn.signal);
        this.succeeded();
      } catch (thrown) {
        if (turn.signal.aborted) continue;
        this.failed(asBridgeError(thrown));
      }
      // It may have made room for newer ones meanwhile.
      if (this.queue[0] === notice) this.queue.shift();
    }
  }

  private postUntilTaken(url: string, notice: AlertNotice, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const onFailure = (error: BridgeError): void => this.failed(error);
    return retrying(() => this.post(url, notice, signal), { policy: RETRY, clock, signal, onFailure });
  }

  /** Throws WEBHOOK_UNREACHABLE when it may be taken later, WEBHOOK_REFUSED when it never will be. */
  private async post(url: string, notice: AlertNotice, signal: AbortSignal): Promise<void> {
    const { address, headers } = addressOf(url);
    const body = JSON.stringify(documentOf(notice, this.options.bridge));
    const tooLate = new AbortController();
    const timer = this.options.clock.setTimer(ANSWER_WITHIN_MS, () => tooLate.abort());
    try {
      const response = await fetch(address, {
        ...{ method: 'POST', headers, body, signal: AbortSignal.any([signal, tooLate.signal]) },
        // An alert goes where the operator wants it, and nowhere else.
        redirect: 'manual',
      });
      await response.body?.cancel();
      judge(response.status);
    } catch (thrown) {
      if (thrown instanceof BridgeError) throw thrown;
      const why = tooLate.signal.aborted ? `no answer within ${ANSWER_WITHIN_MS / 1000} s` : reasonOf(thrown);
      fail('WEBHOOK_UNREACHABLE', why);
    } finally {
      timer.cancel();
    }
  }

  /** Said once, until it goes again. */
  private failed({ code, message, hint }: BridgeError): void {
    if (this.isFailing) return;
    this.isFailing = true;
    this.options.log.warn({ code, hint }, `the webhook does not take alerts: ${message}`);
  }

  private succeeded(): void {
    const { lost } = this;
    if (this.isFailing) this.options.log.info({ lost }, 'the webhook takes alerts again');
    this.isFailing = false;
    this.lost = 0;
  }
}

/** What is posted. */
function documentOf({ code, subject, change, detail, at }: AlertNotice, bridge: string) {
  const { severity, hint } = ALERT_RULES[code];
  return { code, severity, state: change, subject, detail, hint, at: new Date(at).toISOString(), bridge };
}

function judge(status: number): void {
  if (status >= 200 && status < 300) return;
  if (status >= 500 || LATER.has(status)) fail('WEBHOOK_UNREACHABLE', `it answers with HTTP ${status}`);
  fail('WEBHOOK_REFUSED', status < 400 ? `it redirects (HTTP ${status})` : `it answers with HTTP ${status}`);
}

/** `https://user:password@host` becomes a header, which `fetch` would not make of it. Throws WEBHOOK_REFUSED. */
function addressOf(url: string): { readonly address: URL; readonly headers: Readonly<Record<string, string>> } {
  if (!URL.canParse(url)) fail('WEBHOOK_REFUSED', 'the address is no URL');
  const address = new URL(url);
  const { username, password } = address;
  address.username = '';
  address.password = '';
  const credentials = Buffer.from(`${querystring.unescape(username)}:${querystring.unescape(password)}`).toString(
    'base64',
  );
  const headers = { 'content-type': 'application/json' };
  return { address, headers: username === '' ? headers : { ...headers, authorization: `Basic ${credentials}` } };
}

/** The system's code alone: the message may hold the address. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no connection';
  return `it cannot be reached (${code})`;
}
