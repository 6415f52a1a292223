/**
 * Fill messages with members up to a budget and remember whose members went into which message, pure. A message is
 * closed when the next member would not fit `soft` any more; a single member may fill one up to `hard`.
 */
import type { Message } from '../session/message.ts';

export interface PackedMessage<Owner> {
  readonly message: Message;
  readonly owners: ReadonlySet<Owner>;
}

export interface Frame {
  readonly topic: string;
  readonly open: string;
  readonly close: string;
}

/** Octets for what stands in the frame, and how many values a message may have. */
export interface Budget {
  readonly soft: number;
  readonly hard: number;
  readonly points: number;
}

/** A packet's octets besides topic name and payload: the name's length, the identifier, the empty properties of MQTT 5. */
const PACKET_OVERHEAD = 2 + 2 + 1;

/** The budget of a frame within packets of a remaining length; `soft` of the whole, `hard` for what cannot be split. */
export function budgetOf({ topic, open, close }: Frame, limits: Budget): Budget {
  const frame = PACKET_OVERHEAD + octets(topic) + octets(open) + octets(close);
  return { soft: limits.soft - frame, hard: limits.hard - frame, points: limits.points };
}

export function octets(text: string): number {
  return Buffer.byteLength(text);
}

const TOO_LARGE = 'the value is larger than a packet may be';
const ENTRY_END = '}}';

/** Telemetry: `{"ts":..,"values":{..}}` entries. */
export class EntryPacker<Owner> {
  private readonly frame: Frame;
  private readonly budget: Budget;
  private readonly messages: PackedMessage<Owner>[] = [];
  private readonly parts: string[] = [];
  private owners = new Set<Owner>();
  private size = 0;
  private points = 0;
  /** The ts of the entry that is open, so that another member may be added to it. */
  private open: number | null = null;

  constructor(frame: Frame, budget: Budget) {
    this.frame = frame;
    this.budget = budget;
  }

  /** Adds `"key":value` for its owners; null, or why it can never be published. */
  add(ts: number, text: string, owners: Iterable<Owner>): string | null {
    const head = `{"ts":${ts},"values":{`;
    const own = octets(text);
    if (head.length + own + ENTRY_END.length > this.budget.hard) return TOO_LARGE;
    const before = this.open === ts ? ',' : `${this.open === null ? '' : `${ENTRY_END},`}${head}`;
    const added = before.length + own;
    const isFull = this.size + added + ENTRY_END.length > this.budget.soft || this.points >= this.budget.points;
    if (isFull && this.open !== null) {
      this.close();
      return this.add(ts, text, owners);
    }
    this.parts.push(before, text);
    for (const owner of owners) this.owners.add(owner);
    this.size += added;
    this.points += 1;
    this.open = ts;
    return null;
  }

  private close(): void {
    if (this.open === null) return;
    const { topic, open, close } = this.frame;
    const payload = `${open}${this.parts.join('')}${ENTRY_END}${close}`;
    this.messages.push({ message: { topic, payload, points: this.points }, owners: this.owners });
    this.parts.length = 0;
    this.owners = new Set();
    this.size = 0;
    this.points = 0;
    this.open = null;
  }

  finish(): readonly PackedMessage<Owner>[] {
    this.close();
    return this.messages;
  }
}

/** Client attributes: members of one object. */
export class ObjectPacker<Owner> {
  private readonly frame: Frame;
  private readonly budget: Budget;
  private readonly messages: PackedMessage<Owner>[] = [];
  private members: string[] = [];
  private owners = new Set<Owner>();
  private size = 0;

  constructor(frame: Frame, budget: Budget) {
    this.frame = frame;
    this.budget = budget;
  }

  /** Adds `"key":value` for its owners; null, or why it can never be published. */
  add(text: string, owners: Iterable<Owner>): string | null {
    const added = octets(text) + 1;
    if (added > this.budget.hard) return TOO_LARGE;
    if (this.size + added > this.budget.soft) this.close();
    this.members.push(text);
    for (const owner of owners) this.owners.add(owner);
    this.size += added;
    return null;
  }

  private close(): void {
    if (this.members.length === 0) return;
    const { topic, open, close } = this.frame;
    const message = { topic, payload: `${open}${this.members.join(',')}${close}` };
    this.messages.push({ message, owners: this.owners });
    this.members = [];
    this.owners = new Set();
    this.size = 0;
  }

  finish(): readonly PackedMessage<Owner>[] {
    this.close();
    return this.messages;
  }
}
