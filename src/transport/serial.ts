/**
 * A serial line. The port is locked against other programs while it is open.
 *
 * Octets come one by one (parser-byte-length at length 1): frames are found by their own length, so no portion means
 * anything, and at 115,200 baud a line has 11.5 kB/s. The parser also keeps a data listener on the port, without which
 * an adapter that is pulled out would go unnoticed until the next write.
 *
 * One case the library does not notice: a read that begins after the port has hung up gives 0 octets, and it reads again
 * at once, for ever, on a whole processor (bindings-cpp 13, unix-read). So we look now and then whether the port's name
 * is still there.
 */
import { access } from 'node:fs/promises';
import type { SerialPort } from 'serialport';
import { BridgeError, type ErrorCode, fail } from '../core/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { holderOf } from './serial-holder.ts';
import { BY_ID, byIdOf, currentPath } from './serial-path.ts';
import type { Transport, TransportEvents } from './transport.ts';

export interface SerialFormat {
  readonly dataBits: 7 | 8;
  readonly parity: 'N' | 'E' | 'O';
  readonly stopBits: 1 | 2;
}

export interface SerialOptions {
  readonly path: string;
  readonly baudRate: number;
  readonly format: SerialFormat;
  readonly clock: Clock;
  /** Where adapters have names of their own. */
  readonly byIdDirectory?: string;
}

const LOOK_EVERY_MS = 1000;
const CLOSE_WITHIN_MS = 2000;

const PARITIES = { N: 'none', E: 'even', O: 'odd' } as const;

/** The library gives no codes, only the system's words. */
const OPEN_ERRORS: readonly (readonly [words: RegExp, code: ErrorCode])[] = [
  [/no such (file|device)|not a directory/i, 'SERIAL_PORT_MISSING'],
  [/permission denied|operation not permitted/i, 'SERIAL_PORT_DENIED'],
  [/cannot lock|busy|temporarily unavailable/i, 'SERIAL_PORT_BUSY'],
];

export interface SerialTransport extends Transport {
  /** While it is open. Throws LINE_CLOSED or LINE_IO. Opening again begins with the configured rate. */
  setBaudRate(baudRate: number): Promise<void>;
}

/** Loaded with the first port that is opened: many installations have none, and it takes megabytes of memory. */
async function serialLibrary() {
  const [{ SerialPort }, { ByteLengthParser }] = await Promise.all([
    import('serialport'),
    import('@serialport/parser-byte-length'),
  ]);
  return { SerialPort, ByteLengthParser };
}

/** Throws SERIAL_PORT_MISSING, SERIAL_PORT_DENIED, SERIAL_PORT_BUSY or LINE_IO when opening. */
export function serialTransport({
  path: configured,
  baudRate,
  format,
  clock,
  byIdDirectory = BY_ID,
}: SerialOptions): SerialTransport {
  const description = `serial ${configured} ${baudRate} ${format.dataBits}${format.parity}${format.stopBits}`;
  let current: SerialPort | null = null;
  let look: Timer | null = null;
  /** By-id name of the adapter that was opened last. */
  let remembered: string | null = null;
  /** The opening under way; another one, or none, when it was given up. */
  let opening: object | null = null;

  /** The port is gone without having been closed by us; the library may say so twice. */
  const lost = (port: SerialPort, events: TransportEvents, error: Error | null): void => {
    if (current !== port) return;
    current = null;
    look?.cancel();
    // Ends the library's own reading, if it has not noticed.
    if (port.isOpen) void closed(port, clock);
    const why = error === null ? 'the port was closed' : error.message;
    events.closed(
      new BridgeError('LINE_CLOSED', `${description}: ${why}`, {
        hint: 'was the adapter unplugged? It is opened again when it is back',
        cause: error,
      }),
    );
  };

  const keepLooking = (port: SerialPort, path: string, events: TransportEvents): void => {
    look = clock.setTimer(LOOK_EVERY_MS, () => {
      access(path).then(
        () => {
          if (current === port) keepLooking(port, path, events);
        },
        (error: Error) => lost(port, events, error),
      );
    });
  };

  return {
    description,
    async open(events) {
      if (current !== null || opening !== null)
        fail('INTERNAL', `${description} is open already`, { layer: 'transport' });
      const attempt = {};
      opening = attempt;
      const [path, library] = await Promise.all([currentPath(configured, remembered), serialLibrary()]);
      if (opening !== attempt) fail('LINE_CLOSED', `${description} was closed while opening`);
      opening = null;
      const port = new library.SerialPort({
        path,
        baudRate,
        dataBits: format.dataBits,
        parity: PARITIES[format.parity],
        stopBits: format.stopBits,
        lock: true,
        autoOpen: false,
      });
      current = port;
      try {
        await opened(port, path, description);
      } catch (error) {
        if (current === port) current = null;
        throw error;
      }
      if (current !== port) {
        await closed(port, clock);
        fail('LINE_CLOSED', `${description} was closed while opening`);
      }
      port.on('error', (error) => lost(port, events, error));
      port.on('close', (error: Error | null) => lost(port, events, error));
      port.pipe(new library.ByteLengthParser({ length: 1 })).on('data', (octet: Buffer) => {
        if (current === port) events.data(Uint8Array.from(octet));
      });
      keepLooking(port, path, events);
      remembered = (await byIdOf(path, byIdDirectory)) ?? (path === remembered ? remembered : null);
    },
    async write(bytes) {
      const port = current;
      if (port === null || !port.isOpen) return fail('LINE_CLOSED', `${description} is not open`);
      await new Promise<void>((resolve, reject) => {
        port.write(Buffer.from(bytes), (error) => {
          if (error) reject(new BridgeError('LINE_IO', `${description}: ${error.message}`, { cause: error }));
          else resolve();
        });
      });
    },
    async setBaudRate(rate) {
      const port = current;
      if (port === null || !port.isOpen) return fail('LINE_CLOSED', `${description} is not open`);
      await new Promise<void>((resolve, reject) => {
        port.update({ baudRate: rate }, (error) => {
          if (error) reject(new BridgeError('LINE_IO', `${description}: ${error.message}`, { cause: error }));
          else resolve();
        });
      });
    },
    async close() {
      const port = current;
      current = null;
      opening = null;
      look?.cancel();
      if (port?.isOpen) await closed(port, clock);
    },
  };
}

async function opened(port: SerialPort, path: string, description: string): Promise<void> {
  const error = await new Promise<Error | null>((resolve) => port.open(resolve));
  if (error === null) return;
  const code = OPEN_ERRORS.find(([words]) => words.test(error.message))?.[1] ?? 'LINE_IO';
  const message = `${description}: ${error.message.replace(/^Error:? /, '')}`;
  const holder = code === 'SERIAL_PORT_BUSY' ? await holderOf(path) : null;
  if (holder === null) throw new BridgeError(code, message, { cause: error });
  const { pid, name } = holder;
  throw new BridgeError(code, `${message}; held by process ${pid}${name === null ? '' : ` (${name})`}`, {
    cause: error,
    facts: { holderPid: pid, holderName: name },
    ...(pid === process.pid ? { hint: 'another line of ours has this port under another name' } : {}),
  });
}

/** An adapter that was pulled out cannot be closed properly, and may never say so: it is gone all the same. */
function closed(port: SerialPort, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const enough = clock.setTimer(CLOSE_WITHIN_MS, resolve);
    port.close(() => {
      enough.cancel();
      resolve();
    });
  });
}
