/** `scripts/install.sh` from this checkout, in a systemd that is booted for it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Booted, CHECKOUT } from '../support/booted.ts';
import { canBoot, ServiceBench, STATE, UNIT } from '../support/service-bench.ts';

const SCRIPT = `${CHECKOUT}/scripts/install.sh`;
const VERSION = "dpkg-query -W -f '$" + "{Version}' dlms-multi-meter";

describe.skipIf(!canBoot)('scripts/install.sh', () => {
  let bench: ServiceBench;
  let machine: Booted;

  beforeAll(async () => {
    bench = await ServiceBench.boot();
    machine = bench.machine;
    // An npm that has nothing to do, as in a checkout that is built: to compile once is enough.
    await machine.done(`mkdir /opt/built && ln -s /bin/true /opt/built/npm`);
  }, 180_000);
  afterAll(() => bench?.end());

  const again = (flags = '') => machine.run(`PATH=/opt/built:$PATH ${SCRIPT} ${flags}`);
  /** A program as if it were not there. */
  const without = async <T>(program: string, then: () => Promise<T>): Promise<T> => {
    const path = await machine.done(`readlink -f $(command -v ${program})`);
    await machine.done(`mount --bind /dev/null ${path}`);
    try {
      return await then();
    } finally {
      await machine.done(`umount ${path}`);
    }
  };

  test('what is missing is said, and nothing is changed', async () => {
    await machine.done(`install -D -m 755 ${SCRIPT} /opt/guest/scripts/install.sh && useradd guest`);
    expect(await machine.run('runuser -u guest -- /opt/guest/scripts/install.sh')).toMatchObject({
      status: 1,
      stderr: 'run it as root: sudo scripts/install.sh\n',
    });
    const noNode = await without('node', () => again());
    expect(noNode).toMatchObject({ status: 1, stderr: expect.stringMatching(/^Node\.js 20\.19 or later is needed/) });
    await machine.done(
      `mkdir /opt/old && printf '#!/bin/sh\\necho v18.20.4\\n' >/opt/old/node && chmod +x /opt/old/node`,
    );
    const oldNode = await machine.run(`PATH=/opt/old:$PATH ${SCRIPT}`);
    expect(oldNode).toMatchObject({ status: 1, stderr: expect.stringContaining('/opt/old/node is v18.20.4') });
    expect((await machine.run(`${SCRIPT} --no-such-flag`)).status).toBe(2);
    expect((await machine.run('getent passwd dlms')).status).not.toBe(0);
  });

  test('over an older package: another version, the same configuration; again: nothing changes', async () => {
    const older = await machine.done(`${CHECKOUT}/scripts/build-deb.sh --version 0.0.1 --output /opt`);
    await machine.done(`dpkg --force-depends -i ${older}`);
    await bench.setUp();
    await machine.done(`echo debug >/etc/dlms-multi-meter/log-levels && systemctl start ${UNIT}`);

    expect(await machine.run(SCRIPT)).toMatchObject({ status: 0 });
    const version = await machine.done(VERSION);
    expect(version).not.toBe('0.0.1');
    expect(await machine.done('dlms --version')).toBe(version);
    expect(await bench.property('ActiveState')).toBe('active');
    expect(await machine.done('cat /etc/dlms-multi-meter/log-levels')).toBe('debug');

    const tree = 'find /usr/lib/dlms-multi-meter /etc/dlms-multi-meter -type f | xargs sha256sum | sort';
    const before = await machine.done(tree);
    expect(await again()).toMatchObject({ status: 0 });
    expect(await machine.done(tree)).toBe(before);
    expect(await bench.property('ActiveState')).toBe('active');
  }, 360_000);

  test('--uninstall keeps the database, --purge leaves nothing', async () => {
    expect(await again('--uninstall')).toMatchObject({ status: 0 });
    await machine.done(`test -e ${STATE}/dlms.db && test ! -e /usr/bin/dlms`);
    expect(await again('--purge')).toMatchObject({ status: 0 });
    expect((await machine.run(`ls -d ${STATE} /etc/dlms-multi-meter`)).stdout).toBe('');
    expect((await machine.run('getent passwd dlms')).status).not.toBe(0);
  });

  test('where Node.js is no package: files, again, and gone', async () => {
    await without('dpkg-query', async () => {
      expect(await again()).toMatchObject({ status: 0 });
      await machine.done('dlms init --url mqtt://127.0.0.1:18830 --token TOKEN --yes');
      await machine.done(`echo debug >/etc/dlms-multi-meter/log-levels && systemctl start ${UNIT}`);
      await machine.done('touch /usr/lib/dlms-multi-meter/dist/of-the-version-before.js');
      // Its own list does not know it: the folder goes as a whole.
      expect(await again()).toMatchObject({ status: 0 });
      await machine.done('test ! -e /usr/lib/dlms-multi-meter/dist/of-the-version-before.js');
      expect(await bench.property('ActiveState')).toBe('active');
      expect(await machine.done('cat /etc/dlms-multi-meter/log-levels')).toBe('debug');

      expect(await again('--uninstall')).toMatchObject({ status: 0 });
      await machine.done(`test -e ${STATE}/dlms.db && test -e /etc/dlms-multi-meter/log-levels`);
      const left =
        'ls -d /usr/bin/dlms* /usr/bin/check-system-health /usr/lib/dlms-multi-meter /usr/lib/*/*/dlms* /usr/lib/*/dlms*';
      expect((await machine.run(left)).stdout).toBe('');
      expect(await again('--purge')).toMatchObject({ status: 0 });
      expect((await machine.run(`ls -d ${STATE} /etc/dlms-multi-meter`)).stdout).toBe('');
    });
  }, 360_000);
});
