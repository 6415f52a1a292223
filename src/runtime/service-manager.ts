/**
 * Telling systemd how the service is doing, by the datagrams of sd_notify(3). Without NOTIFY_SOCKET nobody listens and
 * nothing is sent. Spawning `systemd-notify` would not do: its datagrams come from another process than the main one,
 * which NotifyAccess=main refuses.
 */

export interface ServiceManager {
  /** What `systemctl status` shows. */
  status(text: string): void;
  /** The service has started, or has reloaded. */
  ready(): void;
  reloading(): void;
  stopping(): void;
  /** The service is alive. Without one of these every `watchdogMs` systemd kills it. */
  watchdog(): void;
  /** null: systemd waits for no sign of life. */
  readonly watchdogMs: number | null;
  close(): void;
}

export const noServiceManager: ServiceManager = {
  status() {},
  ready() {},
  reloading() {},
  stopping() {},
  watchdog() {},
  watchdogMs: null,
  close() {},
};

/** Sends one datagram to a path; an abstract socket's path begins with a zero octet. */
export interface DatagramSender {
  send(path: string, text: string): void;
  close(): void;
}

export interface ServiceManagerOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  /** A datagram could not be sent; the same reason is told once, until one could. */
  readonly onError: (error: Error) => void;
  /** By the package `unix-dgram` unless given. */
  readonly sender?: DatagramSender;
}

/** The service manager that started this process; one that does nothing when there is none. */
export async function serviceManagerOf(options: ServiceManagerOptions): Promise<ServiceManager> {
  const { env, pid, onError } = options;
  const address = env.NOTIFY_SOCKET;
  if (address === undefined || !/^[@/]./.test(address)) return noServiceManager;
  const path = address.startsWith('@') ? `\0${address.slice(1)}` : address;
  const sender = options.sender ?? (await unixSender(onError));
  const send = (text: string): void => sender.send(path, text);
  return {
    status: (text) => send(`STATUS=${text.replaceAll('\n', ' ')}`),
    ready: () => send('READY=1'),
    // Type=notify-reload wants the time of the clock that systemd has, too; Type=notify passes it by.
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => send('STOPPING=1'),
    watchdog: () => send('WATCHDOG=1'),
    watchdogMs: watchdogOf(env, pid),
    close: () => sender.close(),
  };
}

/** sd_watchdog_enabled(3): the time counts only for the process it is meant for. */
function watchdogOf({ WATCHDOG_USEC: microseconds, WATCHDOG_PID: pidText }: NodeJS.ProcessEnv, pid: number) {
  const ms = Number(microseconds) / 1000;
  if (!Number.isFinite(ms) || ms <= 0) return null;
  return pidText === undefined || Number(pidText) === pid ? ms : null;
}

async function unixSender(onError: (error: Error) => void): Promise<DatagramSender> {
  const { default: unixDgram } = await import('unix-dgram');
  const socket = unixDgram.createSocket('unix_dgram');
  socket.on('error', onError);
  let failing: string | null = null;
  return {
    send(path, text) {
      const octets = Buffer.from(text);
      socket.send(octets, 0, octets.length, path, (error) => {
        const reason = error?.message ?? null;
        if (reason !== null && reason !== failing) onError(new Error(`${path.replace('\0', '@')}: ${reason}`));
        failing = reason;
      });
    },
    close: () => socket.close(),
  };
}
