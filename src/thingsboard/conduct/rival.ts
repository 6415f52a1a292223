/**
 * Who else on this host is connected to the same broker: the rival of a conflict, where it runs beside us. Linux only,
 * from /proc. Of a process no more is told than its program's name: command lines carry tokens.
 */
import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { brokerAddress } from '../session/broker-socket.ts';

export interface Rival {
  /** null: of another user's process only the user is known, unless root asks. */
  readonly pid: number | null;
  readonly uid: number;
  /** The program's name; null as `pid`. */
  readonly command: string | null;
  /** Its systemd unit, null without one or where it is not known. */
  readonly unit: string | null;
}

/**
 * Who has sockets to the broker that are not ours, each process once, the newest socket first: who took our session over
 * has only just connected. Empty where the system does not tell.
 */
export async function rivalsAt(brokerUrl: string, root = '/proc'): Promise<readonly Rival[]> {
  const { host, port } = brokerAddress(brokerUrl);
  const addresses = await lookup(host, { all: true }).catch(() => []);
  const wanted = { addresses: addresses.map(({ address }) => address), port };
  const ours = socketsOf('self', root);
  const sockets = [...tcpTable(`${root}/net/tcp`), ...tcpTable(`${root}/net/tcp6`)].filter(
    ({ remote, remotePort, established, inode }) =>
      established && remotePort === wanted.port && wanted.addresses.includes(remote) && !ours.has(inode),
  );
  if (sockets.length === 0) return [];
  // Inodes of sockets are counted up.
  sockets.sort((a, b) => Number(b.inode) - Number(a.inode));
  const owners = ownersOf(new Set(sockets.map(({ inode }) => inode)), root);
  const rivals = sockets.map(({ uid, inode }): Rival => {
    const pid = owners.get(inode) ?? null;
    return {
      pid,
      uid,
      command: pid === null ? null : commandOf(pid, root),
      unit: pid === null ? null : unitOf(pid, root),
    };
  });
  return rivals.filter((rival, at) => rivals.findIndex((one) => one.pid === rival.pid && one.uid === rival.uid) === at);
}

interface TcpSocket {
  readonly remote: string;
  readonly remotePort: number;
  readonly established: boolean;
  readonly uid: number;
  readonly inode: string;
}

const ESTABLISHED = '01';

/** proc(5), /proc/net/tcp: one socket a line, addresses in hex of the host's byte order, 32 bits at a time. */
function tcpTable(path: string): TcpSocket[] {
  return readText(path)
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, , remote, state, , , , uid, , inode] = line.trim().split(/\s+/);
      if (remote === undefined || inode === undefined) return [];
      const [address = '', port = ''] = remote.split(':');
      return [
        {
          remote: addressOf(address),
          remotePort: Number.parseInt(port, 16),
          established: state === ESTABLISHED,
          uid: Number(uid),
          inode,
        },
      ];
    });
}

function addressOf(hex: string): string {
  const octets = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex').reverse()]);
  const [mapped, v4] = [octets.slice(0, 12), octets.slice(-4)];
  const isMapped = mapped.every((octet, at) => octet === (at < 10 ? 0 : 0xff));
  if (octets.length === 4 || isMapped) return v4.join('.');
  return shortenedV6(Buffer.from(octets));
}

/** RFC 5952: the longest run of zero groups becomes `::`. URL does just that. */
function shortenedV6(octets: Buffer): string {
  const groups = octets.toString('hex').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Inodes of the sockets that a process has open; none where we may not look. */
function socketsOf(pid: string, root: string): Set<string> {
  const folder = `${root}/${pid}/fd`;
  return new Set(
    listing(folder).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    }),
  );
}

/** Which process has which of these sockets. */
function ownersOf(inodes: ReadonlySet<string>, root: string): Map<string, number> {
  const owners = new Map<string, number>();
  for (const entry of listing(root)) {
    if (!/^\d+$/.test(entry)) continue;
    for (const inode of socketsOf(entry, root)) if (inodes.has(inode)) owners.set(inode, Number(entry));
  }
  return owners;
}

/** The program, without its arguments; for an interpreter the script, without its folder. */
function commandOf(pid: number, root: string): string | null {
  const [program = '', first = ''] = readText(`${root}/${pid}/cmdline`).split('\0');
  const name = basename(program);
  if (name === '') return null;
  const interprets =
    /^(?:python|node|ruby|perl|java|sh|bash)[\d.]*$/.test(name) && /\.(?:py|[cm]?js|rb|pl|sh)$/.test(first);
  return interprets ? `${name} ${basename(first)}` : name;
}

function unitOf(pid: number, root: string): string | null {
  const path = /^0::(.*)$/m.exec(readText(`${root}/${pid}/cgroup`))?.[1] ?? '';
  return /([^/]+\.service)(?:\/|$)/.exec(path)?.[1] ?? null;
}

// A process that ends while we look, or that we may not look at, simply has nothing to show.
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listing(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
