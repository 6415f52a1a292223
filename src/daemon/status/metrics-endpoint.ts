/**
 * HTTP for monitoring: /metrics for Prometheus, /livez (the event loop turns, nothing else is asked) and /readyz. It only
 * tells. Whoever asks slowly, too often or nonsense costs a bounded number of sockets for a bounded time.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asBridgeError, fail } from '../../core/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { DaemonMetrics, type MetricsSource } from './metrics.ts';

export interface ObservedDaemon extends MetricsSource {
  /** What does not go on as it should, in words. */
  ailments(): readonly string[];
}

export interface EndpointOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 };
const MOST_CONNECTIONS = 32;
/** From the request to the last octet of the answer, however slowly it is taken. */
const ANSWER_WITHIN_MS = 10_000;
const IDLE_MS = 5000;
/** A scrape that comes sooner gets the text of the one before. */
const FRESH_MS = 1000;
const PLAIN = 'text/plain; charset=utf-8';
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

export class MetricsEndpoint {
  private readonly options: EndpointOptions;
  private readonly server: Server;
  private observed: { readonly daemon: ObservedDaemon; readonly metrics: DaemonMetrics } | null = null;
  private isStopping = false;
  private latest: { readonly at: number; readonly text: Promise<string> } | null = null;

  /** Resolves when it listens; not ready before `serve`. Throws INVALID_VALUE when the port is taken or not allowed. */
  static async start(options: EndpointOptions): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(options);
    const { host, port, log } = options;
    endpoint.server.listen(port, host);
    try {
      await once(endpoint.server, 'listening');
    } catch (cause) {
      fail('INVALID_VALUE', `metrics cannot listen on ${host}:${port}: ${(cause as Error).message}`, {
        layer: 'daemon',
        cause,
        hint: 'choose another port, or stop the program that uses it',
      });
    }
    // No file is left for a connection: that is the connection's end, not the daemon's.
    endpoint.server.on('error', (error) => log.warn({ err: error.message }, 'a connection for metrics was not taken'));
    log.info({ host, port: endpoint.port }, `metrics at ${endpoint.url}/metrics`);
    return endpoint;
  }

  private constructor(options: EndpointOptions) {
    this.options = options;
    this.server = createServer(LIMITS, (request, response) => void this.onRequest(request, response));
    this.server.maxConnections = MOST_CONNECTIONS;
    this.server.timeout = IDLE_MS;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    const { host } = this.options;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** The daemon has started. */
  serve(daemon: ObservedDaemon): void {
    this.observed = { daemon, metrics: new DaemonMetrics(daemon, this.options.version) };
  }

  /** The daemon stops: not ready any more. */
  stopping(): void {
    this.isStopping = true;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const late = this.options.clock.setTimer(ANSWER_WITHIN_MS, () => response.destroy());
    response.once('close', () => late.cancel());
    const { status, body, type = PLAIN } = await this.answerTo(request);
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A body that nobody asked for is not waited for.
      connection: 'close',
      ...(status === 405 && { allow: 'GET' }),
    });
    response.end(body);
  }

  private async answerTo({ method, url = '' }: IncomingMessage): Promise<Answer> {
    const [path = ''] = url.split('?');
    const answer = Object.hasOwn(this.answers, path) ? this.answers[path] : undefined;
    if (answer === undefined) return { status: 404, body: 'there is /metrics, /livez and /readyz\n' };
    if (method !== 'GET') return { status: 405, body: 'GET only\n' };
    try {
      return await answer();
    } catch (thrown) {
      const { code } = asBridgeError(thrown);
      this.options.log.debug({ code }, 'metrics could not be gathered');
      return { status: 503, body: `${code}\n` };
    }
  }

  private readonly answers: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    '/livez': () => ({ status: 200, body: 'ok\n' }),
    '/readyz': () => this.readiness(),
    '/metrics': () => this.scraped(),
  };

  private readiness(): Answer {
    const reasons = this.isStopping ? ['stopping'] : (this.observed?.daemon.ailments() ?? ['starting']);
    return reasons.length === 0 ? { status: 200, body: 'ok\n' } : { status: 503, body: `${reasons.join('\n')}\n` };
  }

  private async scraped(): Promise<Answer> {
    if (this.observed === null) return { status: 503, body: 'starting\n' };
    const now = this.options.clock.monotonic();
    if (this.latest === null || now - this.latest.at >= FRESH_MS) {
      this.latest = { at: now, text: this.observed.metrics.text() };
    }
    return { status: 200, body: await this.latest.text, type: PROMETHEUS };
  }
}
