/** `diagnose`: where the way stops, by itself and beside a daemon that it must not disturb. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { Rival } from '../../src/simulator/thingsboard/rival.ts';
import { type Bench, documentOf, newBench } from '../support/cli.ts';
import { commanded } from '../support/commanded.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import {
  addMeter,
  connectionOf,
  countersOf,
  eventualStatus,
  init,
  ownMeters,
  PASSWORD,
  simulateThingsBoard,
  status,
  TOKEN,
} from '../support/scene.ts';
import { countOf, TAG, tapOn } from '../support/tap.ts';

interface Diagnosis {
  readonly steps: readonly {
    readonly name: string;
    readonly status: string;
    readonly detail: string;
    readonly ms: number | null;
    readonly error: { readonly code: string } | null;
  }[];
  readonly verdict: string;
}

const METER_STEPS = ['line', 'sign-on', 'link', 'association', 'hls', 'read', 'store', 'outbox'];
const BROKER_STEPS = ['dns', 'tcp', 'tls', 'connack', 'puback', 'token'];

async function diagnosis(bench: Bench, ...args: readonly string[]): Promise<Diagnosis & { status: number | null }> {
  const finished = await bench.run(['diagnose', ...args, '--json']);
  return { status: finished.status, ...documentOf<Diagnosis>(finished) };
}

/** `name: status`, and the code where it failed. */
function told({ steps }: Diagnosis): string[] {
  return steps.map(({ name, status: how, error }) => `${name}: ${how}${error === null ? '' : ` ${error.code}`}`);
}

const all = (names: readonly string[], how: string): string[] => names.map((name) => `${name}: ${how}`);
const notReached = (names: readonly string[], name: string): string[] =>
  all(names.slice(names.indexOf(name) + 1), 'skipped');
const reached = (names: readonly string[], name: string): string[] => all(names.slice(0, names.indexOf(name)), 'ok');

describe.concurrent('diagnose', { timeout: 180_000 }, () => {
  test('the whole way, without a daemon and beside it: it neither disturbs meter nor session', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual } = await ownMeters(bench);
    const tap = await tapOn(bench, virtual.addresses[0]?.port ?? 0);
    await init(bench, double.url);
    await addMeter(bench, 'house1', `tcp://127.0.0.1:${tap.port}`);
    const works = [...METER_STEPS, ...BROKER_STEPS].map((name) => `${name}: ${name === 'tls' ? 'skipped' : 'ok'}`);
    const alone = await diagnosis(bench, 'house1');
    expect([alone.status, told(alone), alone.verdict]).toEqual([0, works, 'the whole way works']);
    expect(alone.steps.find(({ name }) => name === 'read')?.ms).toEqual(expect.any(Number));
    const text = await bench.run(['diagnose', 'house1']);
    expect(text.stdout).toMatch(/^ok +line .*\n[\s\S]*\nThe whole way works\.\n$/);
    expect(text.stdout + JSON.stringify(alone)).not.toContain(TOKEN);

    const associations = countOf(tap.apdus(), TAG.aarq);
    bench.start(['run']);
    const standing = await eventualStatus(bench, 'messages are acknowledged', (now) => connectionOf(now).messages > 2);
    const through = await diagnosis(bench, 'house1');
    expect([through.status, told(through)]).toEqual([0, works]);
    expect(told(await diagnosis(bench, '--target'))).toEqual(works.slice(METER_STEPS.length));
    const { messages } = connectionOf(standing);
    const later = await eventualStatus(bench, 'it goes on', (now) => connectionOf(now).messages > messages + 4);
    expect(connectionOf(later)).toMatchObject({
      state: 'connected',
      conflict: false,
      clientId: connectionOf(standing).clientId,
      error: null,
    });
    expect(countOf(tap.apdus(), TAG.aarq) - associations).toBe(1);
  });

  test('where it stops on the side of the meter', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { links } = await ownMeters(bench, { auth: 'low', password: PASSWORD });
    await init(bench, `mqtt://127.0.0.1:${await freePort()}`);
    const gone = `tcp+hdlc://127.0.0.1:${await freePort()}`;
    await addMeter(bench, 'gone', gone);
    await addMeter(bench, 'wrong', links[0] ?? '', ['--client', '17', '--auth', 'low', '--secret', 'nonsense']);
    await addMeter(bench, 'nameless', links[0] ?? '', [
      ...['--client', '17', '--auth', 'low', '--secret', 'env:PW', '--points', '3:9.9.9.9.9.9=a'],
    ]);
    const stops = async (meter: string, at: string, code: string): Promise<void> => {
      const found = await diagnosis(bench, meter);
      const rest = [...notReached(METER_STEPS, at), ...all(BROKER_STEPS, 'skipped')];
      expect(told(found)).toEqual([...reached(METER_STEPS, at), `${at}: failed ${code}`, ...rest]);
      expect([found.status, found.verdict]).toEqual([1, `stops at ${at}: ${code}`]);
    };
    await stops('gone', 'line', 'LINE_REFUSED');
    await stops('wrong', 'association', 'AUTHENTICATION_FAILED');
    await stops('nameless', 'read', 'DATA_ACCESS_OBJECT_UNDEFINED');
    const daemon = bench.start(['run']);
    await daemon.firstLine();
    await stops('gone', 'line', 'LINE_REFUSED');
    await stops('wrong', 'association', 'AUTHENTICATION_FAILED');
    expect(await bench.failure(['diagnose'])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['diagnose', 'nobody'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    expect(await bench.failure(['diagnose', '--target', 'nobody'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
  });

  test('where it stops on the side of ThingsBoard', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { run } = await commanded(bench);
    const away = await diagnosis(bench, 'house1');
    expect(told(away).slice(METER_STEPS.length)).toEqual([
      'dns: ok',
      'tcp: failed MQTT_UNREACHABLE',
      ...notReached(BROKER_STEPS, 'tcp'),
    ]);
    await run();
    expect(told(await diagnosis(bench, '--target'))[1]).toBe('tcp: failed MQTT_UNREACHABLE');

    const other = newBench(onTestFinished);
    const double = await simulateThingsBoard(other);
    await init(other, double.url, [], 'nobodysToken');
    const refused = [
      'dns: ok',
      'tcp: ok',
      'tls: skipped',
      'connack: failed MQTT_CREDENTIALS',
      'puback: skipped',
      'token: skipped',
    ];
    expect(told(await diagnosis(other, '--target', 'thingsboard'))).toEqual(refused);
    other.start(['run']);
    await eventualStatus(other, 'the daemon was refused', (now) => connectionOf(now).error !== null);
    expect(told(await diagnosis(other, '--target'))).toEqual(refused);
  });

  test('a rival with the same token is proved', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const rival = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { links } = await ownMeters(bench);
    for (const one of [bench, rival]) {
      await init(one, double.url);
      await addMeter(one, 'house1', links[0] ?? '');
      one.start(['run']);
      await eventually('it delivers', () => countersOf(one).delivered > 0);
    }
    await eventualStatus(bench, 'the conflict is seen', (now) => connectionOf(now).conflict);
    const found = await diagnosis(bench, '--target');
    expect(told(found).at(-1)).toBe('token: failed MQTT_CONFLICT');
    expect(found.status).toBe(1);
    expect((await status(bench)).daemon.running).toBe(true);
  });

  test.each(['5', '3.1.1'])('a rival is proved and named, MQTT %s, without a daemon and with one', async (protocol) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    await init(bench, double.url, ['--protocol', protocol]);
    const { port } = new URL(double.url);
    const rival = new Rival({ port: Number(port), token: TOKEN, clock: systemClock, waitMs: () => 1000 });
    onTestFinished(() => rival.stop());
    await eventually('the rival stands', () => rival.sessions > 0);
    const expectProof = async (): Promise<void> => {
      const found = await diagnosis(bench, '--target');
      expect([found.status, found.verdict]).toEqual([1, 'stops at token: MQTT_CONFLICT']);
      const { detail } = found.steps.at(-1) ?? { detail: '' };
      if (process.platform === 'linux') expect(detail).toContain(`(pid ${process.pid}, user `);
      expect(detail).not.toContain(TOKEN);
    };
    await expectProof();
    bench.start(['run']);
    await eventualStatus(bench, 'the conflict is seen', (now) => connectionOf(now).conflict);
    await expectProof();
  });
});
