/**
 * A systemd of its own: an overlay of this machine's root, booted in a container without a network. What happens in it
 * leaves no trace; mounts and processes go with it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { eventually } from './eventually.ts';

export interface Told {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where the checkout is in the container, to be written to. */
export const CHECKOUT = '/opt/checkout';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The mounts are made in a name space that ends with the container. */
const BOOT = `
set -e
mount -t tmpfs tmpfs "$1"
layer() { mkdir -p "$1/$2/upper" "$1/$2/work" "$4"; mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/$2/upper,workdir=$1/$2/work" "$4"; }
layer "$1" machine / "$1/root"
mkdir -p "$1/root/opt/brought"
cp "$2" "$1/root/opt/brought/"
# Where it lies may be a file system that the container has one of its own of, as /tmp.
layer "$1" checkout "$4" "$1/root${CHECKOUT}"
exec systemd-nspawn --quiet --boot --directory="$1/root" --machine="$3" --register=no --keep-unit --private-network \
  --console=pipe systemd.mask=postgresql.service systemd.mask=mosquitto.service systemd.mask=apt-daily.timer
`;

export class Booted {
  private readonly process: ChildProcess;
  private readonly directory: string;
  private init = 0;
  /** Where the file that was brought along lies. */
  readonly brought: string;

  private constructor(bring: string, checkout: string) {
    this.directory = mkdtempSync(join(tmpdir(), 'booted-'));
    this.brought = `/opt/brought/${basename(bring)}`;
    const machine = `dlms-${process.pid}`;
    const shell = ['sh', '-c', BOOT, 'boot', this.directory, bring, machine, checkout];
    process.once('exit', this.kill);
    this.process = spawn('unshare', ['--mount', '--propagation', 'private', ...shell], { stdio: 'ignore' });
  }

  /** Boots, with one file and the checkout brought along; root only. */
  static async boot(bring: string, checkout: string): Promise<Booted> {
    const booted = new Booted(bring, checkout);
    try {
      await eventually('systemd runs', async () => {
        const pid = booted.process.pid ?? 0;
        booted.init = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
        const { stdout } = await booted.run('systemctl is-system-running');
        if (!/^(running|degraded)$/m.test(stdout)) throw new Error(`not booted: ${stdout}`);
        return true;
      });
      return booted;
    } catch (error) {
      await booted.end();
      throw error;
    }
  }

  /** Runs a line of shell as root in the container. */
  run(line: string): Promise<Told> {
    const inside = [
      '-t',
      String(this.init),
      '--all',
      '--',
      'env',
      '-i',
      `PATH=${PATH}`,
      'LC_ALL=C.UTF-8',
      'setsid',
      '--wait',
      'sh',
      '-c',
      line,
    ];
    return new Promise((resolve) => {
      execFile('nsenter', inside, { timeout: 300_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ status: code, stdout, stderr });
      });
    });
  }

  /** The same for a line that must succeed; its output. */
  async done(line: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(line);
    if (status !== 0) throw new Error(`${line}: exit status ${status}\n${stdout}\n${stderr}`);
    return stdout.trim();
  }

  private get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** The end of its first process ends all others of a container; that of systemd-nspawn alone would leave them. */
  private readonly kill = (): void => {
    if (this.isAlive && this.init > 0) process.kill(this.init, 'SIGKILL');
  };

  async end(): Promise<void> {
    const over = new Promise((resolve) => this.process.once('exit', resolve));
    this.kill();
    if (this.isAlive) {
      this.process.kill('SIGKILL');
      await over;
    }
    process.off('exit', this.kill);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
