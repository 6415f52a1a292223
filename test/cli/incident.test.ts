/** The incident as anybody can see it: a rival with the same token, and nothing is lost. */
import { expect, test } from 'vitest';
import { documentOf, newBench } from '../support/cli.ts';

interface Incident {
  readonly lost: number;
  readonly wrong: number;
  readonly publishRate: number;
  readonly readings: number;
  readonly alerts: readonly string[];
  readonly incident: {
    readonly rivalSessions: number;
    readonly knownAfterSeconds: number | null;
    readonly ordinary: { readonly messages: number; readonly delivered: number; readonly closes: number };
  };
}

test('demo --incident: told, and everything delivered, where an ordinary program loses much', async ({
  onTestFinished,
}) => {
  const bench = newBench(onTestFinished);
  const args = ['demo', '--incident', '--meters', '3', '--interval', '1', '--for', '15'];
  const finished = await bench.start([...args, '--json'], { db: false }).exited;
  const { incident, ...verdict } = documentOf<Incident>(finished);
  expect(verdict).toMatchObject({ lost: 0, wrong: 0, publishRate: 1, alerts: ['TOKEN_CONFLICT'] });
  expect(verdict.readings).toBeGreaterThan(0);
  expect(incident.rivalSessions).toBeGreaterThan(0);
  expect(incident.knownAfterSeconds).not.toBeNull();
  expect(incident.ordinary.closes).toBeGreaterThan(1);
  expect(incident.ordinary.delivered).toBeLessThan(incident.ordinary.messages);
  expect(finished.status).toBe(0);
});
