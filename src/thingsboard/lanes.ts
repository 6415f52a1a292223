/**
 * In which order a connection's rows are sent. Two lanes: live (committed since this session stood) first, backlog in
 * what is left; by id within a lane. Cursors move over the outbox; `restart` moves them back when rows that were passed
 * over (their device was held) may be sent again. Rows that were delivered are gone by then.
 */
import type { OutboxReader, OutboxRow } from '../store/local/types.ts';

const PAGE_ROWS = 64;

/** What keeps a row from being sent now. */
export interface Obstacles {
  /** The row is on its way, or settled and not yet written down. */
  isTaken(rowId: number): boolean;
  /** The device has to wait; its rows come back with `restart`. */
  isHeld(device: string): boolean;
}

export class Lanes {
  private readonly live: Lane;
  private readonly backlog: Lane;
  private readonly boundary: number;

  /** To be made when the session stands: what is in the outbox now is the backlog. */
  constructor(outbox: OutboxReader, connectionId: number, obstacles: Obstacles) {
    this.boundary = outbox.newest(connectionId);
    this.live = new Lane(outbox, connectionId, obstacles, this.boundary, Number.POSITIVE_INFINITY);
    this.backlog = new Lane(outbox, connectionId, obstacles, 0, this.boundary);
  }

  /** The next row that may be sent; null when there is none for now. */
  next(): OutboxRow | null {
    return this.live.next() ?? this.backlog.next();
  }

  /** Rows were committed. */
  refresh(): void {
    this.live.look();
  }

  /** Looks at everything that is pending once more. */
  restart(): void {
    this.live.rewind(this.boundary);
    this.backlog.rewind(0);
  }
}

class Lane {
  private readonly outbox: OutboxReader;
  private readonly connectionId: number;
  private readonly obstacles: Obstacles;
  private readonly upTo: number;
  private after: number;
  private page: OutboxRow[] = [];
  /** The outbox had nothing more when it was last looked at. */
  private exhausted = false;

  constructor(outbox: OutboxReader, connectionId: number, obstacles: Obstacles, after: number, upTo: number) {
    this.outbox = outbox;
    this.connectionId = connectionId;
    this.obstacles = obstacles;
    this.after = after;
    this.upTo = upTo;
  }

  next(): OutboxRow | null {
    for (;;) {
      const row = this.page.shift();
      if (row === undefined) {
        if (!this.turnPage()) return null;
      } else if (!this.obstacles.isHeld(row.device)) {
        return row;
      }
    }
  }

  /** False when there is no further page. */
  private turnPage(): boolean {
    if (this.exhausted || this.after >= this.upTo) return false;
    const rows = this.outbox.pending(this.connectionId, this.after, PAGE_ROWS);
    this.exhausted = rows.length < PAGE_ROWS;
    this.after = rows.at(-1)?.id ?? this.after;
    // Taken rows are left out now, not when their turn comes: one that is settled in between would be sent twice.
    this.page = rows.filter(({ id }) => id <= this.upTo && !this.obstacles.isTaken(id));
    return true;
  }

  look(): void {
    this.exhausted = false;
  }

  rewind(after: number): void {
    this.after = after;
    this.page = [];
    this.exhausted = false;
  }
}
