/** The package in a systemd that is booted for it: installed, run, killed, upgraded, purged. Needs root. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Booted } from '../support/booted.ts';
import { eventually } from '../support/eventually.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const UNIT = 'dlms-multi-meter.service';
const STATE = '/var/lib/dlms-multi-meter';
const BROKER_PORT = 18830;
const METER_PORT = 14059;

const canBoot = process.getuid?.() === 0 && execFileSync('sh', ['-c', 'command -v systemd-nspawn || true']).length > 0;

test.runIf(process.env.CI === 'true')('a systemd can be booted here', () => expect(canBoot).toBe(true));

interface Health {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
}

/** What uses the daemon's token without asking: as a forgotten script does. */
const RIVAL = `
const mqtt = require('/usr/lib/dlms-multi-meter/node_modules/mqtt');
mqtt.connect('mqtt://127.0.0.1:${BROKER_PORT}', { username: 'TOKEN', reconnectPeriod: 1000, clientId: 'old' });
`;

describe.skipIf(!canBoot)('installed and run by systemd', () => {
  let machine: Booted;
  let directory = '';

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'deb-'));
    const deb = execFileSync(join(ROOT, 'scripts/build-deb.sh'), ['--output', directory], { encoding: 'utf8' }).trim();
    machine = await Booted.boot(deb);
  }, 180_000);
  afterAll(async () => {
    await machine?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  const property = (name: string): Promise<string> => machine.done(`systemctl show ${UNIT} -p ${name} --value`);
  /** Until `look` throws no more. */
  const until = (look: () => Promise<void>): Promise<true> =>
    eventually(
      'it is as expected',
      async () => {
        await look();
        return true;
      },
      { withinMs: 40_000, pauseMs: 300 },
    );
  const journal = async (options = ''): Promise<{ PRIORITY: string; MESSAGE: string }[]> => {
    const lines = await machine.done(
      `journalctl -q -u ${UNIT} -o json --output-fields=PRIORITY,MESSAGE,_COMM _COMM=node ${options}`,
    );
    return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line));
  };
  const health = async (): Promise<Health & { readonly exit: number }> => {
    const { status, stdout } = await machine.run('check-system-health --json --since -20s');
    return { ...(JSON.parse(stdout) as Health), exit: status };
  };
  const simulate = (name: string, rest: string): Promise<string> =>
    machine.done(`systemd-run --quiet --collect --unit=${name} dlms simulate ${rest}`);
  // A unit of that name may not be gone yet when its successor starts.
  let brokers = 0;
  const startBroker = (): Promise<string> => {
    brokers += 1;
    return simulate(`broker${brokers}`, `thingsboard --port ${BROKER_PORT} --token TOKEN --gateway`);
  };
  const stopBroker = (): Promise<string> => machine.done(`systemctl stop broker${brokers}`);

  test('the package installs; before init the unit waits, and health says so', async () => {
    await machine.done(`dpkg --force-depends -i ${machine.brought}`);
    expect(await machine.done(`systemctl is-enabled ${UNIT} dlms-health-check.timer dlms-backup.timer`)).toBe(
      'enabled\nenabled\nenabled',
    );
    expect(await property('ActiveState')).toBe('inactive');
    expect(await machine.done('id -Gn dlms')).toMatch(/^dlms dialout$/);
    const { exit, checks } = await health();
    expect(exit).toBe(2);
    expect(checks.find(({ name }) => name === `unit ${UNIT}`)).toMatchObject({ status: 'unhealthy' });
  });

  test('set up by root, run by its own user: READY, figures in the status line, healthy', async () => {
    await startBroker();
    await simulate('meters', `meters --count 2 --port ${METER_PORT} --ports-each`);
    await machine.done(`dlms init --url mqtt://127.0.0.1:${BROKER_PORT} --token TOKEN --yes`);
    for (const [index, name] of ['house1', 'house2'].entries()) {
      const link = `tcp://127.0.0.1:${METER_PORT + index}`;
      await machine.done(
        `dlms meter add ${name} ${link} --interval 1 --points 1.0.1.8.0.255=energy,1.0.32.7.0.255=voltage`,
      );
    }
    expect(await machine.done(`stat -c '%U %a' ${STATE}/dlms.db ${STATE}/dlms.key`)).toBe('dlms 640\ndlms 600');
    await machine.done(`systemctl start ${UNIT}`);
    expect(await property('ActiveState')).toBe('active');
    await until(async () => expect(await property('StatusText')).toMatch(/^Cycles: [1-9]\d* \| MQTT: [1-9]\d* msgs/));
    await until(async () => {
      const { exit, status, checks } = await health();
      expect(checks.filter((one) => one.status === 'degraded' || one.status === 'unhealthy')).toEqual([]);
      expect({ exit, status }).toEqual({ exit: 0, status: 'healthy' });
      expect(checks.find(({ name }) => name === 'connections thingsboard')?.detail).toMatch(
        /^1 to 127\.0\.0\.1:18830$/,
      );
    });
    await machine.done('systemctl start dlms-health-check.service');
  });

  test('an operator of the group sees the status, not the key; others see neither', async () => {
    await machine.done('useradd --groups dlms dlmsop && useradd dlmsguest');
    const { status, stdout } = await machine.run('runuser -u dlmsop -- dlms status --json');
    expect({ status, running: JSON.parse(stdout).daemon.running }).toEqual({ status: 0, running: true });
    expect((await machine.run(`runuser -u dlmsop -- cat ${STATE}/dlms.key`)).status).toBe(1);
    expect((await machine.run('runuser -u dlmsguest -- dlms status')).status).toBe(1);
    const seen = await machine.run('runuser -u dlmsguest -- check-system-health --json');
    const unknown = (JSON.parse(seen.stdout) as Health).checks.filter((one) => one.status === 'unknown');
    expect(unknown.map(({ name }) => name)).toEqual(expect.arrayContaining(['database', 'journal']));
  });

  test('the journal has each event once, with its priority', async () => {
    await machine.done('dlms meter add dead tcp://127.0.0.1:9 --interval 1 --points 1.0.1.8.0.255=energy');
    const failed = async () => (await journal()).filter(({ MESSAGE }) => MESSAGE.includes('meter not read'));
    await until(async () => expect(await failed()).not.toEqual([]));
    await machine.done('dlms meter remove dead');
    expect(await failed()).toHaveLength(1);
    expect((await failed())[0]).toMatchObject({ PRIORITY: '4' });
    const connected = (await journal()).filter(({ MESSAGE }) => MESSAGE.includes('MQTT Connected (client_id: '));
    expect(connected.map(({ PRIORITY }) => PRIORITY)).toEqual(['6']);
    for (const { MESSAGE } of await journal()) expect(() => JSON.parse(MESSAGE)).not.toThrow();
  });

  test('reload takes other log levels without a new process', async () => {
    const pid = await property('MainPID');
    expect(await journal('-p debug -g "cycle committed"').catch(() => [])).toEqual([]);
    await machine.done(`echo 'polling=debug' >/etc/dlms-multi-meter/log-levels && systemctl reload ${UNIT}`);
    await until(async () => expect((await journal('-g "cycle committed"'))[0]).toMatchObject({ PRIORITY: '7' }));
    expect(await property('MainPID')).toBe(pid);
  });

  test('killed with SIGKILL it comes back and goes on', async () => {
    const pid = await property('MainPID');
    await machine.done(`systemctl kill --kill-whom=main --signal=KILL ${UNIT}`);
    await until(async () => {
      expect(await property('ActiveState')).toBe('active');
      expect(await property('MainPID')).not.toBe(pid);
      expect(await property('StatusText')).toMatch(/^Cycles: [1-9]/);
      // At first the state and the words of the process that was killed stand there still.
      expect(await property('NRestarts')).toBe('1');
    });
  });

  test('a process that stands still is ended by the watchdog', async () => {
    const override = `/run/systemd/system/${UNIT}.d`;
    await machine.done(`mkdir -p ${override} && printf '[Service]\\nWatchdogSec=3\\n' >${override}/short.conf`);
    await machine.done(`systemctl daemon-reload && systemctl restart ${UNIT}`);
    const pid = await property('MainPID');
    await machine.done(`systemctl kill --kill-whom=main --signal=STOP ${UNIT}`);
    await until(async () => {
      expect(await machine.done(`journalctl -q -u ${UNIT} -g 'Watchdog timeout' -o cat`)).toContain('Watchdog timeout');
      expect(await property('ActiveState')).toBe('active');
      expect(await property('MainPID')).not.toBe(pid);
    });
    await machine.done(`rm -r ${override} && systemctl daemon-reload && systemctl restart ${UNIT}`);
  });

  test('with the broker away it is degraded and ends within its bound; what waits is delivered later', async () => {
    await stopBroker();
    await until(async () => {
      const { exit, checks } = await health();
      expect(exit).toBe(1);
      expect(checks.find(({ name }) => name === 'target thingsboard')).toMatchObject({ status: 'degraded' });
      expect(JSON.parse(await machine.done('dlms outbox --json')).rows).toBeGreaterThan(0);
    });
    const begun = performance.now();
    await machine.done(`systemctl stop ${UNIT}`);
    expect(performance.now() - begun).toBeLessThan(40_000);
    expect(await property('Result')).toBe('success');
    expect((await health()).exit).toBe(2);
    // Nobody keeps the write-ahead log now: the directory is not the operator's to write.
    const told = await machine.done('runuser -u dlmsop -- dlms status --json');
    const { daemon, outbox } = JSON.parse(told);
    expect(daemon.running).toBe(false);
    expect(outbox.rows).toBeGreaterThan(0);
    await startBroker();
    await machine.done(`systemctl start ${UNIT}`);
    await until(async () => expect(JSON.parse(await machine.done('dlms outbox --json')).rows).toBeLessThan(3));
  });

  test('copies are made by their unit; a damaged database is repaired at the next start', async () => {
    await machine.done('systemctl start dlms-backup.service');
    const made = await machine.done(`stat -c '%U %a %n' ${STATE}/backups/*`);
    expect(made).toMatch(/^dlms 640 \S+\/dlms-\d{8}T\d{9}Z\.db$/);
    await machine.done(`systemctl stop ${UNIT}`);
    await machine.done(`dd if=/dev/zero of=${STATE}/dlms.db bs=4096 count=1 conv=notrunc status=none`);
    await machine.done(`systemctl start ${UNIT}`);
    expect(await property('ActiveState')).toBe('active');
    const said = (await journal('-p err')).map(({ MESSAGE }) => MESSAGE).join('\n');
    expect(said).toContain('the database was damaged and restored from');
    await until(async () => {
      const { exit, checks } = await health();
      expect(exit).toBe(1);
      expect(checks.find(({ name }) => name === 'database')).toMatchObject({ status: 'degraded' });
    });
    await machine.done('dlms alerts ack DATABASE_REPAIRED');
    await until(async () => expect((await health()).exit).toBe(0));
  });

  test('another sealing key is the credential of the next start', async () => {
    expect((await machine.run('dlms key rotate')).status).toBe(1);
    await machine.done(`systemctl stop ${UNIT}`);
    await machine.done('dlms key rotate');
    expect(await machine.done(`stat -c '%U %a' ${STATE}/dlms.key`)).toBe('dlms 600');
    await machine.done(`systemctl start ${UNIT}`);
    await until(async () => expect(await property('StatusText')).toMatch(/^Cycles: [1-9]/));
  });

  test('a rival with the same token is named', async () => {
    await machine.done(`cat >/opt/old.cjs <<'END'${RIVAL}END`);
    await machine.done('systemd-run --quiet --collect --unit=old-publisher node /opt/old.cjs');
    await until(async () => {
      const { exit, checks } = await health();
      expect(exit).toBeGreaterThan(0);
      const said = checks.map(({ detail }) => detail).join('\n');
      expect(said).toContain('CONFLICT');
      expect(said).toContain('old-publisher.service');
    });
    await machine.done('systemctl stop old-publisher');
  });

  test('an upgrade keeps configuration and database; one that cannot migrate puts the database back', async () => {
    await machine.done(`dpkg --force-depends -i ${machine.brought}`);
    expect(await property('ActiveState')).toBe('active');
    expect(await machine.done('cat /etc/dlms-multi-meter/log-levels')).toBe('polling=debug');
    expect(await machine.done(`ls ${STATE}/before-upgrade`)).toContain('dlms.db');

    await machine.done(`systemctl stop ${UNIT}`);
    const sqlite = '/usr/lib/dlms-multi-meter/node_modules/better-sqlite3';
    await machine.done(`node -e 'new (require("${sqlite}"))("${STATE}/dlms.db").pragma("user_version = 9999")'`);
    const sum = await machine.done(`sha256sum <${STATE}/dlms.db`);
    const { status, stderr } = await machine.run(`dpkg --force-depends -i ${machine.brought}`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('DATABASE_TOO_NEW');
    expect(await machine.done(`sha256sum <${STATE}/dlms.db`)).toBe(sum);
  });

  test('removing keeps the database, purging leaves nothing', async () => {
    await machine.done('dpkg --remove dlms-multi-meter');
    await machine.done(`test -e ${STATE}/dlms.db && test ! -e /usr/bin/dlms`);
    await machine.done('dpkg --purge dlms-multi-meter');
    const left = `ls -d ${STATE} /etc/dlms-multi-meter /usr/lib/dlms-multi-meter /usr/lib/systemd/system/dlms* 2>/dev/null`;
    expect((await machine.run(left)).stdout).toBe('');
    expect((await machine.run('getent passwd dlms')).status).not.toBe(0);
  });
});
