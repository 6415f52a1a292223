/** Starts virtual meters: one behind each of many ports, or all behind one port or serial line, told apart by address. */
import { toHex } from '../../core/bytes.ts';
import { asBridgeError, fail } from '../../core/errors.ts';
import { physicalFromSerialNumber } from '../../dlms/hdlc/address.ts';
import type { MeterSettings } from '../../dlms/settings.ts';
import type { ConformanceBit } from '../../dlms/xdlms/conformance.ts';
import { type Clock, sleep, systemClock } from '../../runtime/clock.ts';
import type { Framing } from '../../transport/link-address.ts';
import { listenTcp, type TcpListener } from '../../transport/tcp-listener.ts';
import type { Transport } from '../../transport/transport.ts';
import { type SimulatedAuthentication, SMALLEST_PDU } from './association.ts';
import { Caller, type PushOptions } from './caller.ts';
import { endpointOf, type Site } from './endpoint.ts';
import { type FaultChoice, parseFault } from './faults.ts';
import { MeterLine } from './line.ts';
import { DEFAULT_MAX_PDU, MeterModel } from './meter-model.ts';
import type { SecurityOptions } from './meter-security.ts';
import type { ProfileOptions } from './object-model.ts';
import type { ProfileRow } from './profiles.ts';
import { sendPush } from './push-sender.ts';
import { seedOf } from './random.ts';
import type { MeterReport } from './truth.ts';
import { VirtualMeter } from './virtual-meter.ts';

export interface VirtualMetersOptions extends SecurityOptions {
  readonly count: number;
  /** First or only TCP port; 0 takes free ones. Not used with `transport`. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** How many meters share a port, told apart by address; all of them when left out. */
  readonly metersPerPort?: number;
  readonly framing: Framing;
  /** Which names the meters speak. Default ln. */
  readonly referencing?: MeterSettings['referencing'];
  readonly auth: SimulatedAuthentication;
  /** LLS password or HLS secret; default `DEFAULT_PASSWORD`. */
  readonly password?: string;
  /** The meters' end of a line that stands already (a pty, memory) instead of TCP. */
  readonly transport?: Transport;
  /** `NAME` or `NAME:NUMBER`, see `faults.ts`; every meter has all of them. */
  readonly faults?: readonly string[];
  readonly seed?: number;
  readonly clock?: Clock;
  /** How long a meter thinks about a request, milliseconds. Default 0. */
  readonly answerDelayMs?: number;
  /** Octets of the longest APDU that the meters receive or send, 12 to 65535. */
  readonly maxPdu?: number;
  /** Services that the meters offer, of those that they have; all of them when left out. */
  readonly grant?: readonly ConformanceBit[];
  /** All meters with so many phases; by default every third has one, the others three. */
  readonly phases?: 1 | 3;
  /** How profiles come out; by default whole rows, the oldest first. */
  readonly profiles?: Partial<ProfileOptions>;
  /** How much the meters' clocks are ahead at first, milliseconds. Default 0. */
  readonly clockOffsetMs?: number;
  /** The meters begin to talk, each over connections of its own, instead of waiting at ports. */
  readonly calls?: CallOptions;
}

export interface CallOptions {
  /** A new way to the listener. */
  readonly connect: () => Transport;
  /** The connections stand, and the meters answer over them; else there is one for each push. */
  readonly stays: boolean;
  readonly push: PushOptions | null;
}

export interface VirtualMeterAddress {
  /** For a transport given: what it calls itself. */
  readonly host: string;
  /** For a transport given: 0. */
  readonly port: number;
  /** Server SAP, or upper HDLC address. */
  readonly server: number;
  /** Lower HDLC address; null in wrapper framing. */
  readonly physical: number | null;
  readonly serialNumber: string;
  readonly logicalDeviceName: string;
  /** 16 hex digits. */
  readonly systemTitle: string;
}

export interface VirtualMeters {
  /** In the order of the meters. */
  readonly addresses: readonly VirtualMeterAddress[];
  /** What every meter said so far, in the same order, as plain data. */
  truth(): readonly MeterReport[];
  /**
   * The rows that a profile of a meter (by its place in `addresses`) has between two moments, both included, milliseconds
   * UTC: what a client should get for that range. Throws INVALID_VALUE.
   */
  profileRows(index: number, obis: string, from?: number, to?: number): readonly ProfileRow[];
  /** Closes all ports and connections. Idempotent. */
  stop(): Promise<void>;
}

export const DEFAULT_PASSWORD = '12345678';

/** HLS of level high is AES-128 in these meters. */
const LONGEST_AES_SECRET = 16;

/** The first meter behind a line has this lower HDLC address, the others follow. */
const FIRST_PHYSICAL = 17;
/** Fourteen bits, less the reserved addresses at their end and room for the lower address. */
const MOST_HDLC_ADDRESSES = 16_000;
const MOST_WPORTS = 65_535;
const HIGHEST_PORT = 65_535;
/** Sixteen bits in the InitiateResponse; 0 would be no limit, which no meter has. */
const LARGEST_PDU = 65_535;
const COUNTERS_BEGIN = Date.UTC(2026, 0, 1);
/** A transport that was lost is opened again after this pause. */
const REOPEN_MS = 1000;

/**
 * Starts the meters and resolves when they can be reached. Throws INVALID_VALUE for options that cannot be, or a port
 * that is taken; LINE_* and SERIAL_PORT_* when the transport given cannot be opened.
 */
export async function startVirtualMeters(options: VirtualMetersOptions): Promise<VirtualMeters> {
  const { host = '127.0.0.1', port, count, framing, transport, clock = systemClock, calls } = options;
  const metersPerPort = perPortOf(options);
  checkOptions(options);
  const meters = makeMeters(options, clock);
  const lines = new Lines(framing, clock, options.answerDelayMs ?? 0);
  const sites = Array.from({ length: Math.ceil(count / metersPerPort) }, (_, index) =>
    meters.slice(index * metersPerPort, (index + 1) * metersPerPort),
  );
  try {
    const ports: number[] = [];
    for (const [index, group] of sites.entries()) {
      const site = siteOf(group);
      if (calls !== undefined) lines.call(group, site, calls);
      else if (transport === undefined) ports.push(await lines.listen(site, host, port === 0 ? 0 : port + index));
      else await lines.attach(site, transport);
    }
    return {
      addresses: meters.map(({ model: { identity, security }, physical }, index) => ({
        host: transport?.description ?? host,
        port: ports[Math.floor(index / metersPerPort)] ?? 0,
        server: identity.server,
        physical,
        serialNumber: identity.serialNumber,
        logicalDeviceName: identity.logicalDeviceName,
        systemTitle: toHex(security.systemTitle),
      })),
      truth: () =>
        meters.map(({ model, truth }) => ({
          serialNumber: model.identity.serialNumber,
          said: truth.list(),
          forgotten: truth.forgotten,
        })),
      profileRows(index, obis, from = -Infinity, to = Infinity) {
        const { model } = meters[index] ?? refuse(`there is no meter ${index}`);
        return model.profileRows(clock.now(), obis, from, to);
      },
      stop: () => lines.stop(),
    };
  } catch (error) {
    await lines.stop();
    throw error;
  }
}

/** A meter that calls has a connection of its own. */
function perPortOf({ count, metersPerPort, calls }: VirtualMetersOptions): number {
  return calls === undefined ? (metersPerPort ?? count) : 1;
}

function refuse(message: string): never {
  return fail('INVALID_VALUE', message, { layer: 'simulator' });
}

function checkOptions(options: VirtualMetersOptions): void {
  const { count, port, framing, auth, password = DEFAULT_PASSWORD } = options;
  const metersPerPort = perPortOf(options);
  const { transport, maxPdu = DEFAULT_MAX_PDU } = options;
  const most = framing === 'hdlc' ? MOST_HDLC_ADDRESSES : MOST_WPORTS;
  if (!Number.isInteger(count) || count < 1 || count > most) refuse(`there can be 1 to ${most} meters, not ${count}`);
  if (!Number.isInteger(maxPdu) || maxPdu < SMALLEST_PDU || maxPdu > LARGEST_PDU) {
    refuse(`the PDU size is ${SMALLEST_PDU} to ${LARGEST_PDU} octets, not ${maxPdu}`);
  }
  if (auth === 'high' && Buffer.byteLength(password) > LONGEST_AES_SECRET) {
    refuse(`with authentication high the secret is a key of up to ${LONGEST_AES_SECRET} octets`);
  }
  if (!Number.isInteger(metersPerPort) || metersPerPort < 1) refuse(`a port has 1 meter or more, not ${metersPerPort}`);
  if (transport !== undefined && metersPerPort < count) refuse('a single line has no ports to share meters out to');
  if (transport !== undefined || options.calls !== undefined) return;
  const last = port === 0 ? 0 : port + Math.ceil(count / metersPerPort) - 1;
  if (!Number.isInteger(port) || port < 0 || last > HIGHEST_PORT) refuse(`ports are 0 to ${HIGHEST_PORT}, not ${last}`);
}

function makeMeters(options: VirtualMetersOptions, clock: Clock): readonly VirtualMeter[] {
  const { count, framing, auth, password = DEFAULT_PASSWORD, seed = 1, phases } = options;
  const metersPerPort = perPortOf(options);
  const faults: readonly FaultChoice[] = (options.faults ?? []).map(parseFault);
  return Array.from({ length: count }, (_, index) => {
    const place = index % metersPerPort;
    const model = new MeterModel({
      seed,
      index,
      server: place + 1,
      phases: phases ?? (index % 3 === 2 ? 1 : 3),
      authentication: auth,
      password: Buffer.from(password, 'utf8'),
      maxPdu: options.maxPdu ?? DEFAULT_MAX_PDU,
      security: options,
      ...(options.grant !== undefined && { granted: options.grant }),
      profiles: options.profiles ?? {},
      clockOffset: options.clockOffsetMs ?? 0,
      firstCounter: firstCounterAt(clock.now()),
      referencing: options.referencing ?? 'ln',
      onPush: (push) => void sendPush(push, place + 1, clock),
    });
    const physical = framing === 'hdlc' ? FIRST_PHYSICAL + place : null;
    return new VirtualMeter({ model, physical, faults, seed: seedOf(seed, index), clock });
  });
}

/**
 * Counters must not come again when a simulator is started anew: they go on from the seconds since a fixed day, which no
 * meter here catches up with.
 */
function firstCounterAt(now: number): number {
  return Math.max(0, Math.floor((now - COUNTERS_BEGIN) / 1000));
}

/**
 * The meters behind one line. A meter answers to its server address alone, or with its lower address behind it; and to
 * logical device 1 with a lower address of its own, as meters on a multi-drop line do: their place on the line, or what
 * follows from their serial number.
 */
function siteOf(meters: readonly VirtualMeter[]): Site {
  const identities = meters.map(({ model }) => model.identity);
  for (const { model } of meters) model.logicalDevices = identities;
  const byServer = new Map(meters.map((meter) => [meter.model.identity.server, meter]));
  const byPhysical = new Map<number, VirtualMeter>();
  for (const meter of meters) {
    if (meter.physical === null) continue;
    byPhysical.set(physicalFromSerialNumber(Number(meter.model.identity.serialNumber)), meter);
  }
  for (const meter of meters) if (meter.physical !== null) byPhysical.set(meter.physical, meter);
  return {
    find(server, physical) {
      const meter = byServer.get(server) ?? null;
      // 0 is "no station": the lower half of a long address that has none.
      if (physical === null || physical === 0) return meter;
      const station = byPhysical.get(physical) ?? null;
      return server === 1 || station === meter ? station : null;
    },
  };
}

/** Everything that is open. */
class Lines {
  private readonly framing: Framing;
  private readonly clock: Clock;
  private readonly answerDelayMs: number;
  private readonly listeners: TcpListener[] = [];
  private readonly callers: Caller[] = [];
  private readonly lines = new Set<MeterLine>();
  private readonly stopped = new AbortController();

  constructor(framing: Framing, clock: Clock, answerDelayMs: number) {
    this.framing = framing;
    this.clock = clock;
    this.answerDelayMs = answerDelayMs;
  }

  /** Returns the port. */
  async listen(site: Site, host: string, port: number): Promise<number> {
    const onConnection = (transport: Transport): void => {
      const line = this.line(site, transport, () => undefined);
      // A client that is gone before it is listened to needs no answer.
      line.open().catch(() => this.lines.delete(line));
    };
    const listener = await listenTcp({ host, port, onConnection });
    this.listeners.push(listener);
    return listener.port;
  }

  call(meters: readonly VirtualMeter[], site: Site, calls: CallOptions): void {
    const { framing, clock, answerDelayMs } = this;
    for (const meter of meters) {
      const caller = new Caller({ ...calls, meter, site, framing, clock, answerDelayMs });
      this.callers.push(caller);
      caller.start();
    }
  }

  /** Serves a line of its own, and opens it again whenever it is lost. */
  async attach(site: Site, transport: Transport): Promise<void> {
    const line = this.line(site, transport, () => void this.reattach(site, transport));
    try {
      await line.open();
    } catch (error) {
      this.lines.delete(line);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.all(this.callers.map((caller) => caller.stop()));
    await Promise.all([...this.lines].map((line) => line.close()));
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  private line(site: Site, transport: Transport, onLost: () => void): MeterLine {
    const line = new MeterLine({
      transport,
      endpoint: endpointOf(this.framing, site),
      clock: this.clock,
      answerDelayMs: this.answerDelayMs,
      onClosed: () => {
        this.lines.delete(line);
        onLost();
      },
    });
    this.lines.add(line);
    return line;
  }

  private async reattach(site: Site, transport: Transport): Promise<void> {
    for (;;) {
      try {
        await sleep(this.clock, REOPEN_MS, this.stopped.signal);
        await this.attach(site, transport);
        return;
      } catch (error) {
        // Not back yet is no reason to give up; being stopped is.
        if (asBridgeError(error).code === 'STOPPING') return;
      }
    }
  }
}
