/** `check-system-health` in each state of the service, as root, as a member of the group and as a stranger. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Booted } from '../support/booted.ts';
import { canBoot, checkOf, type Health, ServiceBench, STATE, UNIT } from '../support/service-bench.ts';

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const HOLD = `require('fs').openSync(process.argv[2], process.argv[3]); setInterval(() => {}, 1e6);`;
const PORT = '/dev/ttyMETER';

/** The names of the checks that a person has to look at. */
const bad = ({ checks }: Health): string[] =>
  checks.filter(({ status }) => status === 'degraded' || status === 'unhealthy').map(({ name }) => name);
const unseen = ({ checks }: Health): string[] =>
  checks.filter(({ status }) => status === 'unknown').map(({ name }) => name);

describe.skipIf(!canBoot)('check-system-health', () => {
  let bench: ServiceBench;
  let machine: Booted;

  beforeAll(async () => {
    bench = await ServiceBench.boot();
    machine = bench.machine;
    expect(await bench.install()).toMatchObject({ status: 0 });
    await bench.setUp('SECOND', 'OTHER');
    await machine.done('useradd --groups dlms member && useradd stranger && useradd rival');
    await machine.done(`echo "${HOLD}" >/opt/hold.cjs`);
    await machine.done(`systemctl start ${UNIT}`);
  }, 180_000);
  afterAll(() => bench?.end());

  const settled = (): Promise<true> => bench.until(async () => expect(bad(await bench.health())).toEqual([]));
  const text = async (command: string): Promise<string> => (await machine.run(command)).stdout;

  test('healthy: symbols and colours on a terminal only, --quiet leaves the verdict', async () => {
    await settled();
    const plain = await text('check-system-health');
    expect(plain).toMatch(/^healthy {3}connections thingsboard: 1 to 127\.0\.0\.1:18830$/m);
    expect(plain).not.toMatch(/[^\n\x20-\x7e]/);
    expect(await text('check-system-health --quiet')).toMatch(/^Verdict: healthy( \(not known: [^)]*\))?\n$/);
    expect(await text('script -qec check-system-health /dev/null')).toContain('\u001b[32m✓\u001b[39m');
    for (const flags of ['--no-such-flag', '--since nonsense']) {
      expect(await machine.run(`check-system-health ${flags}`)).toMatchObject({ status: 3, stdout: '' });
    }
  });

  test('who may see less is told what was not seen', async () => {
    const asMember = await bench.health({ user: 'member' });
    expect(asMember.status).toBe('healthy');
    expect(checkOf(asMember, 'connections thingsboard').status).toBe('healthy');
    expect(unseen(asMember)).toEqual(expect.arrayContaining(['holders of the database', 'journal']));
    const asStranger = await bench.health({ user: 'stranger' });
    expect(checkOf(asStranger, `unit ${UNIT}`).status).toBe('healthy');
    expect(unseen(asStranger)).toEqual(
      expect.arrayContaining(['database', 'MQTT connections', 'serial ports', 'holders of the database', 'journal']),
    );
    expect(await text('runuser -u stranger -- check-system-health --quiet')).toContain('not known: database, MQTT');
  });

  test('two targets at one broker are two connections', async () => {
    await machine.done(`dlms target add second --url mqtt://127.0.0.1:18830 --token SECOND`);
    await bench.until(async () => {
      const report = await bench.health();
      expect(bad(report)).toEqual([]);
      for (const name of ['thingsboard', 'second']) {
        expect(checkOf(report, `connections ${name}`).detail).toBe('2 to 127.0.0.1:18830');
      }
    });
  });

  test("who else is connected there is named; as the daemon's own user it is one too many", async () => {
    await bench.startClient('reports', 'OTHER');
    await bench.until(async () => {
      const other = checkOf(await bench.health(), 'connections second');
      expect(other).toMatchObject({ status: 'healthy' });
      expect(other.detail).toMatch(/also connected: node old\.cjs \(pid \d+, reports\.service\)/);
    });
    await machine.done('systemctl stop reports');
    await bench.startClient('second-daemon', 'OTHER', 'dlms');
    await bench.until(async () => {
      const { status, detail } = checkOf(await bench.health(), 'connections second');
      expect({ status, detail }).toMatchObject({ status: 'degraded', detail: expect.stringContaining('3 to 127') });
      expect(detail).toContain('second-daemon.service');
      const told = checkOf(await bench.health({ user: 'member' }), 'connections second');
      expect(told).toMatchObject({ status: 'degraded', detail: '3 to 127.0.0.1:18830 where 2 are expected' });
    });
    await machine.done('systemctl stop second-daemon');
  });

  test("who holds the database or a serial port is named, also by the timer's unit", async () => {
    await bench.service('wire', `socat pty,raw,link=${PORT},mode=660,group=dialout pty,raw,link=/dev/ttyOTHER`);
    await bench.service('sqlite-tool', `node /opt/hold.cjs ${STATE}/dlms.db r`);
    await bench.service('terminal', `node /opt/hold.cjs ${PORT} r+`);
    await machine.done(`dlms meter add serial1 serial://${PORT} --interval 3600 --points 1.0.1.8.0.255=energy`);
    await bench.until(async () => {
      const report = await bench.health();
      expect(checkOf(report, 'holders of the database')).toMatchObject({ status: 'degraded' });
      expect(checkOf(report, 'holders of the database').detail).toMatch(
        /^node hold\.cjs \(pid \d+, sqlite-tool\.service\)$/,
      );
      expect(checkOf(report, `port ${PORT}`).detail).toContain('terminal.service');
    });
    expect(unseen(await bench.health({ user: 'member' }))).toEqual(
      expect.arrayContaining(['holders of the database', `port ${PORT}`]),
    );
    await machine.done('systemctl start dlms-health-check.service');
    const journal = await text('journalctl -q -u dlms-health-check -p warning -o cat');
    expect(journal).toContain('sqlite-tool.service');
    expect(journal).toContain('terminal.service');

    // A process may call itself what it likes.
    const evil = String.raw`printf '\033[2Jx\001' >/proc/self/comm; exec 9<${STATE}/dlms.db; sleep 60; :`;
    await machine.done(`systemd-run --unit evil bash -c ${quoted(evil)}`);
    await bench.until(async () => {
      const told = await text('check-system-health');
      expect(told).toMatch(/ \[2Jx {2}\(pid \d+, evil\.service\)/);
      expect(told).not.toMatch(/[^\n\x20-\x7e]/);
    });
    await machine.run('systemctl stop evil');

    // socat ends by itself when the last one closes the port.
    await machine.run('systemctl stop sqlite-tool terminal wire');
    await bench.until(async () => expect(checkOf(await bench.health(), `port ${PORT}`).detail).toBe('it is not there'));
    await machine.done('dlms meter remove serial1');
  });

  test('a rival with the same token is named to root, its user to a member of the group', async () => {
    await bench.startClient('old-publisher', 'TOKEN', 'rival');
    await bench.until(async () => {
      const report = await bench.health();
      expect(report.exit).toBeGreaterThan(0);
      const target = checkOf(report, 'target thingsboard').detail;
      expect(target).toContain('CONFLICT');
      expect(target).toMatch(/node old\.cjs \(pid \d+, user \d+, old-publisher\.service\)/);
      expect(checkOf(report, 'connections thingsboard').detail).toContain('old-publisher.service');
      expect(checkOf(report, 'journal').detail).toMatch(/[1-9]\d* conflicts/);
    });
    const [rival, ours] = (await text('id -u rival; id -u dlms')).split('\n');
    await bench.until(async () => {
      const told = checkOf(await bench.health({ user: 'member' }), 'target thingsboard').detail;
      expect(told).toContain(`a process of user ${rival} (root sees which)`);
      expect(told).not.toContain(`user ${ours} `);
    });
    await machine.done('systemctl stop old-publisher');
  });

  test('little room where the database is', async () => {
    await machine.done('mkdir /mnt/small && mount -t tmpfs -o size=40m tmpfs /mnt/small');
    await machine.done('dlms --db /mnt/small/dlms.db init --url mqtt://127.0.0.1:9 --token SMALL --yes');
    const report = await bench.health({ flags: '--db /mnt/small/dlms.db' });
    expect(checkOf(report, 'disk').status).toBe('unhealthy');
  });

  test('stopped by somebody', async () => {
    await machine.done(`systemctl stop ${UNIT}`);
    for (const user of ['root', 'member', 'stranger']) {
      const report = await bench.health({ user });
      expect(report.exit).toBe(2);
      expect(checkOf(report, `unit ${UNIT}`)).toMatchObject({ status: 'unhealthy', hint: `systemctl start ${UNIT}` });
    }
    expect((await machine.run('systemctl start dlms-health-check.service')).status).toBe(1);
    await machine.done(`systemctl start ${UNIT}`);
  });

  test('the broker away', async () => {
    await bench.stopBroker();
    for (const user of ['root', 'member']) {
      await bench.until(async () => {
        const report = await bench.health({ user });
        expect(report.status).toBe('degraded');
        expect(checkOf(report, 'target thingsboard').detail).toContain('MQTT_UNREACHABLE');
      });
    }
  });

  test('failed too often, and the hint that brings it back', async () => {
    await machine.done(`mkdir -p /run/systemd/system/${UNIT}.d`);
    await machine.done(`printf '[Service]\\nRestartSec=0\\n' >/run/systemd/system/${UNIT}.d/fast.conf`);
    await machine.done(`echo NODE_OPTIONS=--no-such-option >>/etc/dlms-multi-meter/daemon.env`);
    await machine.done(`systemctl daemon-reload`);
    await machine.done(`systemctl kill --kill-whom=main --signal=KILL ${UNIT}`);
    await bench.until(async () => expect(await bench.property('ActiveState')).toBe('failed'));
    const unit = checkOf(await bench.health(), `unit ${UNIT}`);
    expect(unit.detail).toMatch(/^failed \(exit-code\) after \d+ restarts, and stays down$/);
    await machine.done(`sed -i /NODE_OPTIONS/d /etc/dlms-multi-meter/daemon.env`);
    await machine.done(unit.hint.replace(/^journalctl[^;]*;/, ''));
    expect(await bench.property('ActiveState')).toBe('active');
  });

  test('a program that cannot run is a finding, too', async () => {
    await machine.done('mv /usr/lib/dlms-multi-meter/dist /usr/lib/dlms-multi-meter/gone');
    const report = await bench.health();
    expect(report.exit).toBe(2);
    expect(checkOf(report, 'program').detail).not.toBe('');
    expect(await text('check-system-health')).toMatch(
      /^healthy {3}unit dlms-multi-meter\.service: active[\s\S]*^Verdict: unhealthy$/m,
    );
  });
});
