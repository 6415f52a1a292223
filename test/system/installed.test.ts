/** The package in a systemd that is booted for it: installed, run, killed, upgraded, purged. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Booted } from '../support/booted.ts';
import { canBoot, checkOf, ServiceBench, STATE, UNIT } from '../support/service-bench.ts';

test.runIf(process.env.CI === 'true')('a systemd can be booted here', () => expect(canBoot).toBe(true));

describe.skipIf(!canBoot)('installed and run by systemd', () => {
  let bench: ServiceBench;
  let machine: Booted;

  beforeAll(async () => {
    bench = await ServiceBench.boot();
    machine = bench.machine;
  }, 180_000);
  afterAll(() => bench?.end());

  const property = (name: string): Promise<string> => bench.property(name);
  const until = (look: () => Promise<void>): Promise<true> => bench.until(look);
  const journal = async (options = ''): Promise<{ PRIORITY: string; MESSAGE: string }[]> => {
    const lines = await machine.done(
      `journalctl -q -u ${UNIT} -o json --output-fields=PRIORITY,MESSAGE,_COMM _COMM=node ${options}`,
    );
    return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line));
  };
  test('the package installs; before init the unit waits, and health says so', async () => {
    expect(await bench.install()).toMatchObject({ status: 0 });
    expect(await machine.done(`systemctl is-enabled ${UNIT} dlms-health-check.timer dlms-backup.timer`)).toBe(
      'enabled\nenabled\nenabled',
    );
    expect(await property('ActiveState')).toBe('inactive');
    expect(await machine.done('id -Gn dlms')).toMatch(/^dlms dialout$/);
    const report = await bench.health();
    expect(report.exit).toBe(2);
    expect(checkOf(report, `unit ${UNIT}`)).toMatchObject({ status: 'unhealthy', hint: 'sudo dlms init' });
    expect(checkOf(report, 'database').detail).toContain('DATABASE_MISSING');
    expect(checkOf(report, 'MQTT connections').status).toBe('unknown');
  });

  test('set up by root, run by its own user: READY, figures in the status line, healthy', async () => {
    await bench.setUp();
    expect(await machine.done(`stat -c '%U %a' ${STATE}/dlms.db ${STATE}/dlms.key`)).toBe('dlms 640\ndlms 600');
    await machine.done(`systemctl start ${UNIT}`);
    expect(await property('ActiveState')).toBe('active');
    await until(async () => expect(await property('StatusText')).toMatch(/^Cycles: [1-9]\d* \| MQTT: [1-9]\d* msgs/));
    await until(async () => {
      const report = await bench.health();
      expect(report.checks.filter((one) => one.status === 'degraded' || one.status === 'unhealthy')).toEqual([]);
      expect(report.status).toBe('healthy');
    });
    await machine.done('systemctl start dlms-health-check.service');
  });

  test('an operator of the group sees the status, not the key; others see neither', async () => {
    await machine.done('useradd --groups dlms dlmsop && useradd dlmsguest');
    const { status, stdout } = await machine.run('runuser -u dlmsop -- dlms status --json');
    expect({ status, running: JSON.parse(stdout).daemon.running }).toEqual({ status: 0, running: true });
    expect((await machine.run(`runuser -u dlmsop -- cat ${STATE}/dlms.key`)).status).toBe(1);
    expect((await machine.run('runuser -u dlmsguest -- dlms status')).status).toBe(1);
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
    await bench.stopBroker();
    await until(async () => {
      expect((await bench.health()).exit).toBe(1);
      expect(JSON.parse(await machine.done('dlms outbox --json')).rows).toBeGreaterThan(0);
    });
    const begun = performance.now();
    await machine.done(`systemctl stop ${UNIT}`);
    expect(performance.now() - begun).toBeLessThan(40_000);
    expect(await property('Result')).toBe('success');
    // Nobody keeps the write-ahead log now: the directory is not the operator's to write.
    const told = await machine.done('runuser -u dlmsop -- dlms status --json');
    const { daemon, outbox } = JSON.parse(told);
    expect(daemon.running).toBe(false);
    expect(outbox.rows).toBeGreaterThan(0);
    await bench.startBroker();
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
      const report = await bench.health();
      expect(report.exit).toBe(1);
      expect(checkOf(report, 'database')).toMatchObject({ status: 'degraded' });
    });
    await machine.done('dlms alerts ack DATABASE_REPAIRED');
    await until(async () => expect((await bench.health()).exit).toBe(0));
  });

  test('another sealing key is the credential of the next start', async () => {
    expect((await machine.run('dlms key rotate')).status).toBe(1);
    await machine.done(`systemctl stop ${UNIT}`);
    await machine.done('dlms key rotate');
    expect(await machine.done(`stat -c '%U %a' ${STATE}/dlms.key`)).toBe('dlms 600');
    await machine.done(`systemctl start ${UNIT}`);
    await until(async () => expect(await property('StatusText')).toMatch(/^Cycles: [1-9]/));
  });

  /** Below in the container: the store's own steps, as the program has them. */
  const inStore = (script: string): Promise<string> =>
    machine.done(`cat >/opt/store.mjs <<'END'
import Sql from '/usr/lib/dlms-multi-meter/node_modules/better-sqlite3/lib/index.js';
import { MIGRATIONS, migrate, schemaVersion } from '/usr/lib/dlms-multi-meter/dist/store/migrations.js';
${script}
END
node /opt/store.mjs`);
  const versionIn = (directory: string): Promise<string> =>
    inStore(`console.log(schemaVersion(new Sql('${directory}/dlms.db', { readonly: true })));`);

  test('an upgrade keeps database, changed configuration and what was disabled', async () => {
    await machine.done('systemctl disable --quiet --now dlms-health-check.timer');
    expect(await bench.install()).toMatchObject({ status: 0 });
    expect(await property('ActiveState')).toBe('active');
    expect(await machine.done('cat /etc/dlms-multi-meter/log-levels')).toBe('polling=debug');
    expect((await machine.run('systemctl is-enabled dlms-health-check.timer')).stdout.trim()).toBe('disabled');
  });

  test('a database of an older version is brought up to date, with a copy that leads back', async () => {
    await machine.done(`systemctl stop ${UNIT} && mkdir /opt/kept && mv ${STATE}/dlms.db /opt/kept/`);
    await inStore(`const { key_check } = new Sql('/opt/kept/dlms.db').prepare('SELECT key_check FROM fleet_state').get();
const old = new Sql('${STATE}/dlms.db');
migrate(old, MIGRATIONS.slice(0, 1));
old.prepare('UPDATE fleet_state SET key_check = ?').run(key_check);`);
    await machine.done(`chown dlms: ${STATE}/dlms.db`);
    const old = await versionIn(STATE);
    const { status, stderr } = await bench.install();
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('was brought up to date') });
    expect(await versionIn(STATE)).not.toBe(old);
    expect(await versionIn(`${STATE}/before-upgrade`)).toBe(old);
    expect(await machine.done(`stat -c '%a' ${STATE}/before-upgrade`)).toBe('700');

    // The same version once more does not take the copy away.
    expect(await bench.install()).toMatchObject({ status: 0 });
    expect(await versionIn(`${STATE}/before-upgrade`)).toBe(old);
    await machine.done(`systemctl stop ${UNIT} && rm ${STATE}/dlms.db* && mv /opt/kept/dlms.db ${STATE}/`);
    await machine.done(`systemctl start ${UNIT}`);
  });

  test('after an upgrade that does not get as far as unpacking, the daemon goes on', async () => {
    const control = 'Package: dlms-multi-meter\nVersion: 99\nArchitecture: all\nMaintainer: x <x@example.invalid>';
    await machine.done(`mkdir -p /opt/bad/DEBIAN && printf '${control}\nDescription: x\n' >/opt/bad/DEBIAN/control`);
    await machine.done(`printf '#!/bin/sh\nexit 1\n' >/opt/bad/DEBIAN/preinst && chmod 755 /opt/bad/DEBIAN/preinst`);
    await machine.done('dpkg-deb --build /opt/bad /opt/bad.deb');
    expect((await machine.run('dpkg -i /opt/bad.deb')).status).not.toBe(0);
    expect(await property('ActiveState')).toBe('active');
  });

  test('an older program refuses a newer database: installed, and started', async () => {
    await machine.done(`systemctl stop ${UNIT}`);
    const sqlite = '/usr/lib/dlms-multi-meter/node_modules/better-sqlite3';
    await machine.done(`node -e 'new (require("${sqlite}"))("${STATE}/dlms.db").pragma("user_version = 9999")'`);
    const sum = await machine.done(`sha256sum <${STATE}/dlms.db`);
    const { status, stderr } = await bench.install();
    expect(status).not.toBe(0);
    expect(stderr).toContain('DATABASE_TOO_NEW');
    expect(stderr).toContain('it was put back as it was');
    expect(await machine.done(`sha256sum <${STATE}/dlms.db`)).toBe(sum);
    expect(await machine.done('dpkg --audit')).toContain('only half configured');

    expect((await machine.run(`systemctl start ${UNIT}`)).status).not.toBe(0);
    expect((await journal('-p err')).map(({ MESSAGE }) => MESSAGE).join()).toContain('DATABASE_TOO_NEW');
    const report = await bench.health();
    expect(report.exit).toBe(2);
    expect(checkOf(report, 'database').detail).toContain('DATABASE_TOO_NEW');
    await machine.run(`systemctl stop ${UNIT}`);
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
