/** The package in a booted systemd, with a meter simulator and a ThingsBoard double beside it; and looks at the service. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { Booted } from './booted.ts';
import { eventually } from './eventually.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const UNIT = 'dlms-multi-meter.service';
export const STATE = '/var/lib/dlms-multi-meter';
export const BROKER_PORT = 18830;
const METER_PORT = 14059;

/** Needs root, and systemd-nspawn. */
export const canBoot =
  process.getuid?.() === 0 && execFileSync('sh', ['-c', 'command -v systemd-nspawn || true']).length > 0;

export interface Health {
  readonly status: string;
  readonly checks: readonly Readonly<Record<'name' | 'status' | 'detail' | 'hint', string>>[];
  readonly exit: number;
}

/** The document of `health`, as the command line promises it. */
const SHAPE = {
  status: expect.stringMatching(/^(healthy|degraded|unhealthy)$/),
  checks: expect.any(Array),
  system: { uptimeSeconds: expect.any(Number), activeWorkers: expect.any(Number), queueLength: expect.any(Number) },
  performance: expect.objectContaining({ cycles: expect.any(Number), messages: expect.any(Number) }),
  errors: expect.objectContaining({ total: expect.any(Number) }),
  workers: expect.any(Array),
};
const CHECK_SHAPE = {
  name: expect.stringMatching(/./),
  status: expect.stringMatching(/^(healthy|degraded|unhealthy|unknown)$/),
  detail: expect.stringMatching(/./),
  hint: expect.any(String),
};
const PERFORMANCE = ['cycles', 'messages', 'publishRate', 'avgPollMs', 'p95PollMs', 'p99PollMs', 'readingsPerMinute'];
const EXIT = { healthy: 0, degraded: 1, unhealthy: 2 };

/** What uses the daemon's token without asking: as a forgotten script does. */
const CLIENT = `
const mqtt = require('/usr/lib/dlms-multi-meter/node_modules/mqtt');
mqtt.connect('mqtt://127.0.0.1:${BROKER_PORT}', { username: process.argv[2], reconnectPeriod: 1000, clientId: 'old' });
`;

export class ServiceBench {
  readonly machine: Booted;
  private readonly directory: string;
  private brokers = 0;

  private constructor(machine: Booted, directory: string) {
    this.machine = machine;
    this.directory = directory;
  }

  static async boot(): Promise<ServiceBench> {
    const directory = mkdtempSync(join(tmpdir(), 'deb-'));
    const deb = execFileSync(join(ROOT, 'scripts/build-deb.sh'), ['--output', directory], { encoding: 'utf8' }).trim();
    return new ServiceBench(await Booted.boot(deb, ROOT), directory);
  }

  async end(): Promise<void> {
    await this.machine.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The package that was brought along; the outcome of `dpkg`. */
  install(): ReturnType<Booted['run']> {
    return this.machine.run(`dpkg --force-depends -i ${this.machine.brought}`);
  }

  /** Two meters and the double run; the service is set up for them, and not started. */
  async setUp(...tokens: string[]): Promise<void> {
    await this.startBroker(...tokens);
    await this.simulate('meters', `meters --count 2 --port ${METER_PORT} --ports-each`);
    await this.machine.done(`dlms init --url mqtt://127.0.0.1:${BROKER_PORT} --token TOKEN --yes`);
    for (const [index, name] of ['house1', 'house2'].entries()) {
      const link = `tcp://127.0.0.1:${METER_PORT + index}`;
      await this.machine.done(
        `dlms meter add ${name} ${link} --interval 1 --points 1.0.1.8.0.255=energy,1.0.32.7.0.255=voltage`,
      );
    }
  }

  /** A command as a service of the container's own. */
  service(name: string, command: string): Promise<string> {
    return this.machine.done(`systemd-run --quiet --collect --unit=${name} ${command}`);
  }

  private simulate(name: string, rest: string): Promise<string> {
    return this.service(name, `dlms simulate ${rest}`);
  }

  /** The token TOKEN is known, and these. */
  startBroker(...tokens: string[]): Promise<string> {
    // A unit of that name may not be gone yet when its successor starts.
    this.brokers += 1;
    const known = ['TOKEN', ...tokens].map((token) => `--token ${token}`).join(' ');
    return this.simulate(`broker${this.brokers}`, `thingsboard --port ${BROKER_PORT} ${known} --gateway`);
  }

  stopBroker(): Promise<string> {
    return this.machine.done(`systemctl stop broker${this.brokers}`);
  }

  /** A client of the broker that is not the daemon, as the unit `name`. */
  async startClient(name: string, token: string, user = 'root'): Promise<void> {
    await this.machine.done(`cat >/opt/old.cjs <<'END'${CLIENT}END`);
    await this.service(name, `-p User=${user} node /opt/old.cjs ${token}`);
  }

  property(name: string): Promise<string> {
    return this.machine.done(`systemctl show ${UNIT} -p ${name} --value`);
  }

  /** Until `look` throws no more. */
  until(look: () => Promise<void>): Promise<true> {
    return eventually(
      'it is as expected',
      async () => {
        await look();
        return true;
      },
      { withinMs: 40_000, pauseMs: 300 },
    );
  }

  /** What `check-system-health` says to `user`, in the promised shape and with the exit status that goes with it. */
  async health({ user = 'root', flags = '' } = {}): Promise<Health> {
    const { status: exit, stdout } = await this.machine.run(
      `runuser -u ${user} -- check-system-health --json --since -20s ${flags}`,
    );
    const report = JSON.parse(stdout);
    expect(report).toEqual(SHAPE);
    expect(Object.keys(report.performance)).toEqual(PERFORMANCE);
    for (const check of report.checks) expect(check).toEqual(CHECK_SHAPE);
    expect(exit).toBe(EXIT[report.status as keyof typeof EXIT]);
    return { ...report, exit };
  }
}

/** The check of that name. */
export function checkOf({ checks }: Health, name: string): Health['checks'][number] {
  return (
    checks.find((one) => one.name === name) ?? expect.fail(`${name} is not among ${checks.map((one) => one.name)}`)
  );
}
