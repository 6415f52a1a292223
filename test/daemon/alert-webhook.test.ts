/** The webhook of alerts against a real HTTP server that is slow, broken, rude or somewhere else. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { AlertNotice } from '../../src/daemon/alerts/alert-desk.ts';
import { AlertWebhook } from '../../src/daemon/alerts/alert-webhook.ts';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { eventually } from '../support/eventually.ts';

const SECRET = 'T0ken-in-the-path';

type Answer = (response: ServerResponse, subject: string) => void;
const answer =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end('something that nobody reads');

/** A server that answers as told, one after the other, and with 200 when nothing is told. */
async function receiver(...answers: Answer[]) {
  const taken: { readonly subject: string; readonly state: string; readonly request: IncomingMessage }[] = [];
  const documents: unknown[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (octets: Buffer) => {
      body += octets.toString();
    });
    request.on('end', () => {
      const document = JSON.parse(body) as { subject: string; state: string };
      taken.push({ ...document, request });
      documents.push(document);
      (answers.shift() ?? answer(200))(response, document.subject);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(stop);
  const { port } = server.address() as AddressInfo;
  return { taken, documents, port, url: `http://127.0.0.1:${port}/${SECRET}`, stop };
}

function webhook() {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { ...silentLogger, info: keep, warn: keep, error: keep };
  const hook = new AlertWebhook({ clock, log, bridge: 'gateway-7' });
  onTestFinished(async () => {
    await hook.stop();
    expect(lines.join('\n')).not.toContain(SECRET);
  });
  return { clock, lines, hook };
}

const notice = (subject: string, change: AlertNotice['change'] = 'raised'): AlertNotice => ({
  ...{ code: 'METER_OFFLINE', subject, change, detail: change === 'raised' ? 'silent' : '', active: 1 },
  at: Date.UTC(2026, 0, 1),
});

const subjects = ({ taken }: { taken: readonly { subject: string }[] }): string[] =>
  taken.map(({ subject }) => subject);

test('what is posted, and nothing where no address is set', async () => {
  const { hook } = webhook();
  const server = await receiver();
  hook.tell(notice('before'));
  hook.pointTo(server.url);
  hook.tell(notice('house1'));
  hook.tell(notice('house1', 'cleared'));
  await eventually('both are taken', () => server.taken.length === 2);
  expect(server.documents).toEqual([
    {
      ...{ code: 'METER_OFFLINE', severity: 'major', state: 'raised', subject: 'house1', detail: 'silent' },
      ...{ hint: expect.stringContaining('diagnose'), at: '2026-01-01T00:00:00.000Z', bridge: 'gateway-7' },
    },
    expect.objectContaining({ state: 'cleared', detail: '' }),
  ]);
  expect(server.taken[0]?.request).toMatchObject({ method: 'POST', url: `/${SECRET}` });
  expect(server.taken[0]?.request.headers).toMatchObject({ 'content-type': 'application/json' });
});

test('a server that fails for a while: tried again, later and later, in order; said once', async () => {
  const { clock, lines, hook } = webhook();
  const server = await receiver(answer(500), answer(503), answer(429));
  hook.pointTo(server.url);
  hook.tell(notice('a'));
  hook.tell(notice('b'));
  const triedAt: number[] = [];
  for (let tries = 1; tries <= 4; tries += 1) {
    await eventually('it is tried', async () => {
      if (server.taken.length < tries) await clock.advance(100);
      return server.taken.length >= tries;
    });
    triedAt.push(clock.monotonic());
  }
  await eventually('both are taken', () => server.taken.length === 5);
  expect(subjects(server)).toEqual(['a', 'a', 'a', 'a', 'b']);
  const waits = triedAt.slice(1).map((at, index) => at - (triedAt[index] ?? 0));
  for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(500 * 2 ** index);
  await eventually('it is said', () => lines.length === 2);
  expect(lines[0]).toMatch(/^the webhook does not take alerts: it answers with HTTP 500 .*WEBHOOK_UNREACHABLE/);
  expect(lines[1]).toMatch(/^the webhook takes alerts again/);
});

test('a server that hangs is left after ten seconds, and tried again', async () => {
  const { clock, lines, hook } = webhook();
  const server = await receiver(() => {});
  hook.pointTo(server.url);
  hook.tell(notice('a'));
  await eventually('it is asked', () => server.taken.length === 1);
  await clock.advance(10_000);
  await eventually('it is given up', () => lines.length === 1);
  expect(lines[0]).toContain('no answer within 10 s');
  await clock.advance(1000);
  await eventually('it is taken', () => server.taken.length === 2);
});

test('what is refused is not sent again, and the next one goes', async () => {
  const { lines, hook } = webhook();
  const server = await receiver(answer(404), answer(400));
  hook.pointTo(server.url);
  for (const subject of ['a', 'b', 'c']) hook.tell(notice(subject));
  await eventually('all are told', () => server.taken.length === 3);
  expect(subjects(server)).toEqual(['a', 'b', 'c']);
  await eventually('it is said', () => lines.length === 2);
  expect(lines[0]).toMatch(/WEBHOOK_REFUSED/);
});

test('a redirection is not followed', async () => {
  const { lines, hook } = webhook();
  const elsewhere = await receiver();
  const server = await receiver(answer(302, { location: elsewhere.url }), answer(307, { location: elsewhere.url }));
  hook.pointTo(server.url);
  for (const subject of ['a', 'b', 'c']) hook.tell(notice(subject));
  await eventually('all are told', () => server.taken.length === 3);
  expect(elsewhere.taken).toEqual([]);
  expect(lines[0]).toContain('it redirects (HTTP 302)');
});

test('nobody there: the latest thousand wait, in order, and go when there is a server', {
  timeout: 60_000,
}, async () => {
  const { clock, lines, hook } = webhook();
  const gone = await receiver();
  await gone.stop();
  hook.pointTo(gone.url);
  for (let number = 0; number < 1200; number += 1) hook.tell(notice(`m${number}`));
  await eventually('it is said', () => lines.length === 1);
  expect(lines[0]).toContain('it cannot be reached (ECONNREFUSED)');
  const server = await receiver();
  hook.pointTo(server.url);
  await eventually('all are taken', () => server.taken.length === 1000, { withinMs: 50_000 });
  expect(subjects(server)).toEqual(Array.from({ length: 1000 }, (_, index) => `m${index + 200}`));
  expect(clock.pendingTimers).toBeLessThanOrEqual(1);
});

test('user and password of the address go as basic authentication', async () => {
  const { hook } = webhook();
  const server = await receiver();
  hook.pointTo(`http://us%40er:pa%3Ass@127.0.0.1:${server.port}/`);
  hook.tell(notice('a'));
  await eventually('it is taken', () => server.taken.length === 1);
  const { authorization = '' } = server.taken[0]?.request.headers ?? {};
  expect(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()).toBe('us@er:pa:ss');
});

test('an address that is none is said, without it', async () => {
  const { lines, hook } = webhook();
  hook.pointTo(`http://:99999/${SECRET}`);
  hook.tell(notice('a'));
  await eventually('it is said', () => lines.length === 1);
  expect(lines[0]).toMatch(/the address is no URL .*WEBHOOK_REFUSED/);
});

test('the end does not wait for a server that hangs, and tells that something is lost', async () => {
  const { lines, hook } = webhook();
  const server = await receiver(() => {});
  hook.pointTo(server.url);
  hook.tell(notice('a'));
  hook.tell(notice('b'));
  await eventually('it is asked', () => server.taken.length === 1);
  await hook.stop();
  expect(lines).toEqual(['alerts that the webhook did not take are not posted any more {"waiting":2}']);
});
