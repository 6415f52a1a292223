/** `listen` as a process: pushes over TCP, UDP and a serial line, confirmed and ciphered ones, and what is none. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { isGloDed, protectApdu, unprotectApdu } from '../../src/dlms/security/apdu-protection.ts';
import { publicKeyOf } from '../../src/dlms/security/elliptic-curve.ts';
import { policyOf, securityControlFor } from '../../src/dlms/security/suite.ts';
import { decodeWrapper, encodeWrapper } from '../../src/dlms/wrapper.ts';
import { decodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { type Bench, documentOf, newBench, type Running } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { ownMeters } from '../support/scene.ts';
import { hasSocat, ptyPair } from '../support/socat.ts';
import { bytesOf, loadVectors, type Vector } from '../support/vectors.ts';

interface Document {
  readonly pushes: readonly Record<string, unknown>[];
  readonly failures: readonly Record<string, unknown>[];
  readonly discarded: readonly Record<string, unknown>[];
  readonly error: unknown;
}

const vector = (id: string): Vector => loadVectors('push').find((one) => one.id === id) as Vector;
const CONFIRMED = fromHex('0f40000001000600000007');
const CONFIRMATION = '104000000100';
const CIPHERED = vector('push-udp-general-glo-1');
const EK = String(CIPHERED.context.encryptionKey);

/** Of the static unified model in suite 1; see test/dlms/decode-protected.test.ts. */
const AGREED = fromHex(
  'dd0800000000000000070853494d000000000108444d4d0000000001000001020102002931000000053439be677c8fb68c27dff5588f0098adcb22d5a20218d4bb4e9f00d6fdf6299b7c907bd0',
);

/** Whether prlimit (util-linux) is there; in CI it must be. */
const hasPrlimit = process.env.CI === 'true' || spawnSync('prlimit', ['--version'], { stdio: 'ignore' }).status === 0;

/** A connection to what was just started, as soon as it listens. */
function connected(bench: Bench, port: number): Promise<Socket> {
  return eventually('it listens', async () => {
    const socket = connect({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
    } catch {
      return null;
    }
    bench.atEnd(() => void socket.destroy());
    return socket;
  });
}

async function ended(listening: Running): Promise<Document> {
  const finished = await listening.stop();
  expect(finished.status).toBe(0);
  return documentOf<Document>(finished);
}

describe.concurrent('listen', () => {
  test('TCP: each push as it comes, the confirmed one confirmed', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`], { db: false });
    expect(await listening.firstLine()).toBe(`listening on tcp 127.0.0.1:${port}`);
    const socket = await connected(bench, port);
    socket.write(concat([fromHex('99'), encodeWrapper(1, 103, CONFIRMED)]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(toHex(answer)).toBe(toHex(encodeWrapper(103, 1, fromHex(CONFIRMATION))));
    await eventually('the push is printed', () => listening.stdout.includes('APDU: data-notification'));
    expect(listening.stdout).toContain('wPort 1 (confirmed)\n');
    expect(listening.stdout).toContain('discarded 1 octets at 0: octets outside a wrapper message\n');
    expect((await listening.stop('SIGINT')).status).toBe(0);
  });

  test.skipIf(!hasPrlimit)(
    'TCP: without a file left for a connection it goes on, and takes the next',
    async ({ onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const port = await freePort();
      const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`, '--json']);
      await connected(bench, port);
      // Files that are open stay open; there are none for more than a few connections.
      const files = readdirSync(`/proc/${listening.pid}/fd`).length;
      execFileSync('prlimit', ['--pid', String(listening.pid), `--nofile=${files + 4}`]);
      const many = Array.from({ length: 20 }, () => connect({ host: '127.0.0.1', port }).on('error', () => undefined));
      await eventually(
        'some of them are turned away',
        () => many.some(({ destroyed, closed }) => destroyed || closed) || null,
      );
      for (const socket of many) socket.destroy();
      // Until the files of those that left are free again, the next ones are turned away too.
      const answer = await eventually('the next is taken', async () => {
        const late = await connected(bench, port);
        late.write(encodeWrapper(1, 103, CONFIRMED));
        return once(late, 'data').catch(() => null) as Promise<[Buffer] | null>;
      });
      expect(toHex(answer[0])).toContain(CONFIRMATION);
      expect((await ended(listening)).pushes).toHaveLength(1);
    },
  );

  test('agreed keys and signatures', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const point = (octet: number): string => `hex:${toHex(publicKeyOf('P-256', new Uint8Array(32).fill(octet)))}`;
    const env = { AK: '02'.repeat(16), PRIVATE: '0c'.repeat(32) };
    const server = ['--server-agreement-key', point(14), '--server-signing-key', point(13)];
    const flags = ['--ak', 'env:AK', '--agreement-key', 'env:PRIVATE', ...server, '--json'];
    const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`, ...flags], { env, db: false });
    const socket = await connected(bench, port);
    const changed = Uint8Array.from(AGREED);
    changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
    socket.end(concat([encodeWrapper(1, 1, AGREED), encodeWrapper(1, 1, changed)]));
    await once(socket.resume(), 'close');
    const { pushes, failures } = await ended(listening);
    expect(pushes).toMatchObject([
      { security: { apdu: 'general-ciphering', tagVerified: true }, items: [{ value: 66051 }, { value: 2300 }] },
    ]);
    expect(failures).toMatchObject([{ error: { code: 'DECRYPT_FAILED' } }]);
  });

  test('one document at the end: two connections, keys, what is no push', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const flags = ['--ek', 'env:EK', '--ak', 'env:EK', '--json'];
    const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`, ...flags], { env: { EK }, db: false });
    const [one, other] = [await connected(bench, port), await connected(bench, port)];
    one.write(bytesOf(CIPHERED).subarray(0, 20));
    other.end(concat([encodeWrapper(1, 16, fromHex('ff')), encodeWrapper(1, 16, CONFIRMED).subarray(0, 12)]));
    one.write(bytesOf(CIPHERED).subarray(20));
    one.end();
    await Promise.all([once(one.resume(), 'close'), once(other.resume(), 'close')]);
    const { pushes, failures, discarded, error } = await ended(listening);
    expect(pushes).toMatchObject([
      { apdu: 'data-notification', confirmed: null, security: { tagVerified: true }, ts: expect.stringMatching(/Z$/) },
    ]);
    expect(failures).toMatchObject([{ error: { code: 'MALFORMED' } }]);
    expect(discarded).toMatchObject([{ offset: 9, reason: 'the frame is incomplete' }]);
    expect(error).toBeNull();
  });

  test('HDLC over TCP, blocks and frames in any portions', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const blocks = vector('push-lg-e450-2-gbt-encrypted');
    const keys = ['--accept-unverified', '--ek', String(blocks.context.encryptionKey)];
    const listening = bench.start(['listen', `tcp+hdlc://127.0.0.1:${port}`, '--json', ...keys], { db: false });
    const socket = await connected(bench, port);
    for (const octet of bytesOf(blocks)) socket.write(Uint8Array.of(octet));
    socket.end();
    await once(socket.resume(), 'close');
    expect((await ended(listening)).pushes).toMatchObject([
      { apdu: 'data-notification', security: { tagVerified: null } },
    ]);
  });

  test.for(['both', 'encrypted', 'authenticated'] as const)(
    'a ciphered push is confirmed ciphered: %s',
    async (policy, { onTestFinished }) => {
      const bench = newBench(onTestFinished);
      const port = await freePort();
      const keys = ['--ek', 'env:EK', '--ak', 'env:EK'];
      const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`, ...keys, '--json'], {
        env: { EK },
        db: false,
      });
      const socket = await connected(bench, port);
      const key = fromHex(EK);
      const title = fromHex('4d4d4d0000000001');
      const push = protectApdu(CONFIRMED, 'general-glo', {
        securityControl: securityControlFor(0, policy),
        invocationCounter: 7,
        encryptionKey: key,
        authenticationKey: key,
        systemTitle: title,
      });
      socket.write(encodeWrapper(1, 103, push));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      const { sourceWPort, destinationWPort, apdu } = decodeWrapper(new Uint8Array(answer));
      expect([sourceWPort, destinationWPort]).toEqual([103, 1]);
      const ciphered = decodeApdu(apdu);
      if (!isGloDed(ciphered)) throw new Error(ciphered.apdu);
      const opened = unprotectApdu(ciphered, {
        unicast: key,
        broadcast: null,
        dedicated: null,
        authentication: key,
        systemTitle: null,
      });
      expect(toHex(opened.plaintext)).toBe(CONFIRMATION);
      expect(policyOf(opened.securityControl)).toBe(policy);
      expect(toHex(opened.systemTitle)).not.toBe(toHex(title));
      socket.end();
      expect((await ended(listening)).pushes).toMatchObject([{ apdu: 'data-notification', confirmed: true }]);
    },
  );

  test('UDP: a datagram that is broken spoils no other', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const listening = bench.start(['listen', `udp://127.0.0.1:${port}`], { db: false });
    await listening.firstLine();
    const socket = createSocket('udp4');
    bench.atEnd(() => void socket.close());
    const answered = once(socket, 'message');
    socket.send(encodeWrapper(1, 103, CONFIRMED).subarray(0, 12), port, '127.0.0.1');
    socket.send(encodeWrapper(1, 103, CONFIRMED), port, '127.0.0.1');
    const [answer] = (await answered) as [Buffer];
    expect(toHex(answer)).toBe(toHex(encodeWrapper(103, 1, fromHex(CONFIRMATION))));
    const { status, stdout } = await listening.stop();
    expect(status).toBe(0);
    expect(stdout).toContain('the frame is incomplete');
    expect(stdout).toContain('APDU: data-notification');
  });

  test.skipIf(!hasSocat)('a serial line with M-Bus, until it is pulled out', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const { a, b, unplug } = await ptyPair();
    bench.atEnd(unplug);
    const mbus = vector('push-netz-noe-mbus-encrypted');
    const flags = ['--framing', 'mbus', '--ek', String(mbus.context.encryptionKey)];
    const listening = bench.start(['listen', `serial://${a}?baud=2400`, ...flags], { db: false });
    await listening.firstLine();
    writeFileSync(b, bytesOf(mbus));
    await eventually('the push is printed', () => listening.stdout.includes('APDU: data-notification'));
    expect(listening.stdout).toContain('voltage L1, instantaneous');
    await unplug();
    const { status, stderr } = await listening.exited;
    expect(status).toBe(1);
    expect(stderr).toContain('LINE_CLOSED');
  });

  test('--for ends it', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const link = `tcp://127.0.0.1:${await freePort()}`;
    const empty = { pushes: [], failures: [], discarded: [], error: null };
    expect(await bench.json(['listen', link, '--for', '0.1'], { db: false })).toEqual(empty);
  });

  test('links that cannot be listened on', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const first = bench.start(['listen', `tcp://127.0.0.1:${port}`], { db: false });
    await first.firstLine();
    expect(await bench.failure(['listen', `tcp://127.0.0.1:${port}`])).toMatchObject({
      status: 2,
      code: 'INVALID_VALUE',
    });
    expect(await bench.failure(['listen', 'serial+e:///dev/none'])).toMatchObject({ status: 2, code: 'INVALID_LINK' });
    const missing = await bench.failure(['listen', 'serial:///dev/none']);
    expect(missing).toMatchObject({ status: 1, code: 'SERIAL_PORT_MISSING' });
  });

  test('what a meter pushes when its push setup is called', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const port = await freePort();
    const listening = bench.start(['listen', `tcp://127.0.0.1:${port}`], { db: false });
    (await connected(bench, port)).destroy();
    const { links } = await ownMeters(bench);
    const link = links[0] ?? '';
    const setup = '40:0.0.25.9.0.255';
    const destination = [
      { type: 'enum', value: 0 },
      { type: 'octet-string', value: `"127.0.0.1:${port}"` },
      { type: 'enum', value: 0 },
    ];
    expect(await bench.failure(['call', link, `${setup}:1`, '--client', '1'])).toMatchObject({
      code: 'DATA_ACCESS_OTHER_REASON',
    });
    await bench.json(['set', link, `${setup}:3`, `structure:${JSON.stringify(destination)}`, '--client', '1']);
    const { stdout } = await bench.run(['read', link, `${setup}:3`, '--client', '1']);
    expect(stdout).toContain(`tcp to 127.0.0.1:${port}, A-XDR APDU`);
    expect(await bench.json(['call', link, `${setup}:1`, '--client', '1'])).toMatchObject({ name: 'push' });
    await eventually('the push is printed', () => listening.stdout.includes('APDU: data-notification'));
    expect(listening.stdout).toContain('1.0.1.8.0.255');
  });
});
