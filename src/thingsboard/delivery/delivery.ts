/**
 * Rows over one session: takes them from the lanes, packs rows of one device into messages, keeps a window of them in
 * flight within the server's limits, and settles a row when all messages with something of it are answered. A row that
 * could not be delivered stays in the outbox.
 *
 *   in the outbox --taken--> on its way --all PUBACKed--> delivered
 *                                \--a payload refused for good--> quarantined
 *                                \--refused for now, session ended--> in the outbox, as it was
 */
import { asBridgeError, type BridgeError } from '../../core/errors.ts';
import type { Timer } from '../../runtime/clock.ts';
import { type OutboxRow, OWN_DEVICE } from '../../store/local/types.ts';
import { pointsPerMessage } from '../limits/session-limits.ts';
import type { DeliveryOptions, Outgoing, Underway } from './delivery-types.ts';
import { Lanes } from './lanes.ts';
import type { Budget } from './packers.ts';
import { Pauses } from './pauses.ts';
import { approximateOctets, connectMessage, rowsPayload } from './payload.ts';

/** Fixed header of a packet: type and up to four octets of remaining length. */
const FIXED_HEADER = 5;

export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly lanes: Lanes;
  private oneByOne: boolean;
  private listens = false;
  private leftOut: ReadonlySet<number>;
  private readonly underway = new Map<number, Underway>();
  /** Messages of rows taken that wait for a place in the window. */
  private queue: Outgoing[] = [];
  private readonly pauses: Pauses<Outgoing>;
  private readonly announced = new Set<string>();
  /** Rows of a packed message that was refused: each goes alone, to find the one that was meant. */
  private readonly suspects = new Set<number>();
  private inFlight = 0;
  private state: 'silent' | 'asking' | 'open' | 'winding-down' | 'ended' = 'silent';
  private lastAlone: OutboxRow | null = null;
  private throttled: Timer | null = null;
  private readonly onIdle = new Set<() => void>();

  constructor(options: DeliveryOptions) {
    const { outbox, connectionId, settlement, holds, unsettled, clock } = options;
    this.options = options;
    this.oneByOne = options.oneByOne;
    this.leftOut = options.leftOut;
    this.pauses = new Pauses(clock, (messages, isShort) => this.goOn(messages, isShort));
    this.lanes = new Lanes(outbox, connectionId, {
      isTaken: (rowId) => this.underway.has(rowId) || settlement.has(rowId) || this.leftOut.has(rowId),
      isHeld: (device) => holds.isHeld(device) || unsettled.has(device) || this.pauses.of(device) === 'for long',
      isPausing: (device) => this.pauses.of(device) === 'shortly',
    });
  }

  private get window(): number {
    if (this.oneByOne) return 1;
    const { window, session, throttle } = this.options;
    return Math.min(window, session.limits.receiveMaximum, throttle.limits.window ?? window);
  }

  private get packet(): Budget {
    const { session, throttle } = this.options;
    const { packed, packet } = throttle.limits;
    const most = session.limits.maximumPacketSize - FIXED_HEADER;
    return { soft: Math.min(packed, most), hard: Math.min(packet, most), points: pointsPerMessage(throttle.limits) };
  }

  /** The row that was alone on its way when the session ended, where messages go one by one. */
  get endedAlone(): OutboxRow | null {
    return this.lastAlone;
  }

  /** Sends from now on, as soon as the limits are known; before it nothing is sent. */
  begin(): void {
    if (this.state !== 'silent') return;
    this.state = 'asking';
    const { question, session } = this.options;
    if (question === null) this.open();
    else
      question.ask(
        session,
        () => this.open(),
        () => this.pump(),
      );
  }

  private open(): void {
    if (this.state !== 'asking') return;
    this.state = 'open';
    if (this.options.question !== null) this.listen();
    this.pump();
  }

  private listen(): void {
    if (this.listens || this.state === 'ended') return;
    this.listens = true;
    this.options.inbound.attend(this.options.session);
    for (const device of this.announced) this.askAbout(device);
  }

  /**
   * The device has another name in ThingsBoard, or is gone there: what is not on its way yet goes back into the outbox,
   * and if it is sent again it is announced anew.
   */
  leave(device: string): void {
    const left = [...this.takeFromQueue(device), ...this.pauses.end(device)];
    // A row of which a part is on its way is sent again as a whole.
    for (const { underways } of left) for (const { row } of underways) this.underway.delete(row.id);
    this.announced.delete(device);
  }

  /** One by one no more. */
  widen(): void {
    this.oneByOne = false;
    this.listen();
    if (this.leftOut.size === 0) this.pump();
    else {
      this.leftOut = new Set();
      this.restart();
    }
  }

  /** Takes no further row; resolves when nothing is in flight any more, or the session has ended. */
  async windDown(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'winding-down';
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => this.onIdle.add(resolve));
  }

  /** Nothing is on its way. */
  get idle(): boolean {
    return this.inFlight === 0 && this.queue.length === 0 && this.pauses.size === 0;
  }

  /** Rows were committed. */
  refresh(): void {
    this.lanes.refresh();
    this.pump();
  }

  /** Looks at everything that is pending once more: a hold is over, or rows came back from quarantine. */
  restart(): void {
    this.lanes.restart();
    this.pump();
  }

  /** The session ended: what was on its way stays in the outbox. */
  end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    const [only] = this.underway.values();
    if (this.underway.size === 1 && this.inFlight === 1) this.lastAlone = only?.row ?? null;
    this.throttled?.cancel();
    this.pauses.stop();
    this.queue = [];
    this.underway.clear();
    this.tellIdle();
  }

  private tellIdle(): void {
    for (const tell of this.onIdle) tell();
    this.onIdle.clear();
  }

  /** Fills the window. An outbox that cannot be read ends the session, which is tried again later. */
  pump(): void {
    try {
      while (this.state === 'open' && this.throttled === null && this.inFlight < this.window) {
        if (this.queue.length === 0 && !this.takeRows()) return;
        const [next] = this.queue;
        if (next === undefined || this.mustWait(next)) continue;
        this.queue.shift();
        if (next.isQuestion === true) this.options.session.request(next.message);
        else void this.send(next);
      }
    } catch (error) {
      this.options.session.close(asBridgeError(error));
    }
  }

  /** The limits want a pause before this message: of everything, or of what is of its device. It ends by itself. */
  private mustWait({ message, device, underways, isQuestion = false }: Outgoing): boolean {
    const { throttle, clock } = this.options;
    const isFirstContact = underways.length === 0 && !isQuestion;
    const wait = throttle.take({ message, device, isFirstContact }, clock.monotonic());
    if (wait === null) return false;
    if (wait.whose === 'session') {
      this.throttled = clock.setTimer(wait.ms, () => {
        this.throttled = null;
        this.pump();
      });
    } else {
      this.pauses.begin(device, wait.ms, this.takeFromQueue(device));
    }
    return true;
  }

  private takeFromQueue(device: string): readonly Outgoing[] {
    const taken = this.queue.filter((outgoing) => outgoing.device === device);
    this.queue = this.queue.filter((outgoing) => outgoing.device !== device);
    return taken;
  }

  /** A device's pause is over. */
  private goOn(messages: readonly Outgoing[], isShort: boolean): void {
    this.queue.unshift(...messages);
    if (isShort) this.pump();
    else this.restart();
  }

  /** Takes the next row and, where they fit, those of its device behind it; false when there is none. */
  private takeRows(): boolean {
    const first = this.lanes.next();
    if (first === null) return false;
    const alone = this.oneByOne || this.suspects.has(first.id);
    let { soft: room, points } = this.packet;
    const fits = (row: OutboxRow): boolean => {
      room -= approximateOctets(row);
      points -= row.readings.length;
      return room >= 0 && points >= 0;
    };
    fits(first);
    const others = alone ? [] : this.lanes.companions(first, (row) => fits(row) && !this.suspects.has(row.id));
    this.take([first, ...others]);
    return true;
  }

  private take(taken: readonly OutboxRow[]): void {
    const { mode, settlement, attributeTimes } = this.options;
    const rows = taken.map((row) => attributeTimes.current(row));
    const { messages, unpublishable } = rowsPayload(rows, mode, this.packet);
    const underways = new Map(
      rows.map((row): [OutboxRow, Underway] => [row, { row, left: 0, hopeless: null, postponed: false }]),
    );
    for (const { row, key, reason } of unpublishable) {
      const underway = underways.get(row);
      if (underway === undefined) continue;
      const named = `"${key.slice(0, 40)}": ${reason}`;
      underway.hopeless = underway.hopeless === null ? named : `${underway.hopeless}; ${named}`;
    }
    for (const { owners } of messages) {
      for (const row of owners) (underways.get(row) as Underway).left += 1;
    }
    for (const { row, left, hopeless } of underways.values()) {
      if (hopeless !== null) this.warnOf(row, hopeless);
      if (left > 0) this.underway.set(row.id, underways.get(row) as Underway);
      else if (hopeless === null) settlement.deliver(row);
      else settlement.quarantine(row, hopeless);
    }
    const { device } = rows[0] as OutboxRow;
    if (messages.length > 0 && mode === 'gateway' && device !== OWN_DEVICE) this.announce(device);
    for (const { message, owners } of messages) {
      this.queue.push({ message, device, underways: [...owners].map((row) => underways.get(row) as Underway) });
    }
  }

  private warnOf({ id, device }: OutboxRow, hopeless: string): void {
    this.options.logger.warn({ row: id, device }, `Readings that cannot be published: ${hopeless}`);
  }

  /** Once per device and session, ahead of its first telemetry; the server keeps the order of what one session sends. */
  private announce(device: string): void {
    if (this.announced.has(device)) return;
    this.announced.add(device);
    this.queue.push({ message: connectMessage(device, this.options.deviceType), device, underways: [] });
    if (this.listens) this.askAbout(device);
  }

  private askAbout(device: string): void {
    const question = this.options.inbound.questionFor(device);
    if (question !== null) this.queue.push({ message: question, device, underways: [], isQuestion: true });
  }

  private async send(outgoing: Outgoing): Promise<void> {
    this.inFlight += 1;
    try {
      this.options.inbound.sending(outgoing.message);
      await this.options.session.publish(outgoing.message);
      this.options.onAcknowledged();
      this.answered(outgoing, null);
    } catch (error) {
      this.answered(outgoing, asBridgeError(error));
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) this.tellIdle();
      this.pump();
    }
  }

  private answered(outgoing: Outgoing, error: BridgeError | null): void {
    if (this.state === 'ended') return;
    const { holds } = this.options;
    const { device, underways } = outgoing;
    if (error !== null && error.code !== 'MQTT_REFUSED') {
      // The first failure of a session tells of its end. A message that alone was ignored makes its device wait, so
      // that the next session is not spent on it.
      if (error.code === 'MQTT_ACK_TIMEOUT' && error.facts.alive === true) holds.hold(device);
      this.end();
      return;
    }
    if (error !== null) this.refused(outgoing, error);
    else if (underways.length > 0) holds.clear(device);
    for (const underway of underways) {
      underway.left -= 1;
      if (underway.left === 0) this.settle(underway);
    }
  }

  private refused({ device, underways }: Outgoing, error: BridgeError): void {
    const { holds, logger } = this.options;
    const rows = underways.map(({ row }) => row.id);
    logger.warn({ device, rows, ...error.facts }, `ThingsBoard refused a message: ${error.message}`);
    const [only] = underways;
    if (!error.retryable && underways.length === 1 && only !== undefined) {
      only.hopeless ??= error.message;
      return;
    }
    if (error.retryable || only === undefined) {
      this.announced.delete(device);
      holds.hold(device);
    }
    for (const underway of underways) {
      underway.postponed = true;
      if (!error.retryable) this.suspects.add(underway.row.id);
    }
  }

  private settle({ row, hopeless, postponed }: Underway): void {
    const { settlement } = this.options;
    this.underway.delete(row.id);
    if (postponed) this.lanes.restart();
    else if (hopeless !== null) settlement.quarantine(row, hopeless);
    else settlement.deliver(row);
    if (!postponed) this.suspects.delete(row.id);
  }
}
