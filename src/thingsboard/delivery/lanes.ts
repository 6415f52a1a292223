/**
 * In which order a connection's rows are sent. Two lanes: live (committed since this session stood) first, backlog in
 * what is left; by id for each device within a lane. Cursors move over the outbox; `restart` moves them back when rows that were passed
 * over (their device was held) may be sent again. Rows that were delivered are gone by then.
 */
import type { OutboxReader, OutboxRow } from '../../store/local/types.ts';

/** Of live rows: a look that finds one costs little. Of the backlog: rows of one device share a packet. */
const LIVE_PAGE_ROWS = 64;
const BACKLOG_PAGE_ROWS = 1024;
/** Pages whose rows may keep their place at a time. */
const PAGES = 4;

/** What keeps a row from being sent now. */
export interface Obstacles {
  /** The row is on its way, or settled and not yet written down. */
  isTaken(rowId: number): boolean;
  /** The device has to wait; its rows come back with `restart`. */
  isHeld(device: string): boolean;
  /** The device has to wait a moment; its rows keep their place. */
  isPausing(device: string): boolean;
}

export class Lanes {
  private readonly live: Lane;
  private readonly backlog: Lane;
  private readonly boundary: number;

  /** To be made when the session stands: what is in the outbox now is the backlog. */
  constructor(outbox: OutboxReader, connectionId: number, obstacles: Obstacles) {
    this.boundary = outbox.newest(connectionId);
    this.live = new Lane(outbox, connectionId, obstacles, {
      after: this.boundary,
      upTo: Number.POSITIVE_INFINITY,
      pageRows: LIVE_PAGE_ROWS,
    });
    this.backlog = new Lane(outbox, connectionId, obstacles, {
      after: 0,
      upTo: this.boundary,
      pageRows: BACKLOG_PAGE_ROWS,
    });
  }

  /** The next row that may be sent; null when there is none for now. */
  next(): OutboxRow | null {
    return this.live.next() ?? this.backlog.next();
  }

  /** Rows that wait behind one which `next` gave, of its device and lane, in order, for as long as they are wanted. */
  companions({ id, device }: OutboxRow, isWanted: (row: OutboxRow) => boolean): readonly OutboxRow[] {
    return (id > this.boundary ? this.live : this.backlog).companions(device, isWanted);
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

interface LaneRange {
  /** Ids: beginning behind the one, up to the other. */
  readonly after: number;
  readonly upTo: number;
  readonly pageRows: number;
}

class Lane {
  private readonly outbox: OutboxReader;
  private readonly connectionId: number;
  private readonly obstacles: Obstacles;
  private readonly upTo: number;
  private readonly pageRows: number;
  private after: number;
  /** By device, each in order; the devices in the order of their first rows. */
  private readonly page = new Map<string, OutboxRow[]>();
  /** The outbox had nothing more when it was last looked at. */
  private exhausted = false;

  constructor(outbox: OutboxReader, connectionId: number, obstacles: Obstacles, { after, upTo, pageRows }: LaneRange) {
    this.outbox = outbox;
    this.connectionId = connectionId;
    this.obstacles = obstacles;
    this.after = after;
    this.upTo = upTo;
    this.pageRows = pageRows;
  }

  next(): OutboxRow | null {
    do {
      for (const [device, rows] of this.page) {
        if (this.obstacles.isPausing(device)) continue;
        const row = this.obstacles.isHeld(device) ? undefined : rows.shift();
        if (row === undefined || rows.length === 0) this.page.delete(device);
        if (row !== undefined) return row;
      }
    } while (this.turnPage());
    return null;
  }

  companions(device: string, isWanted: (row: OutboxRow) => boolean): readonly OutboxRow[] {
    const rows = this.page.get(device) ?? [];
    const end = rows.findIndex((row) => !isWanted(row));
    const found = rows.splice(0, end < 0 ? rows.length : end);
    if (rows.length === 0) this.page.delete(device);
    return found;
  }

  /** False when there is no further page. */
  private turnPage(): boolean {
    if (this.exhausted || this.after >= this.upTo || this.keptRows() > PAGES * this.pageRows) return false;
    const rows = this.outbox.pending(this.connectionId, this.after, this.pageRows);
    this.exhausted = rows.length < this.pageRows;
    this.after = rows.at(-1)?.id ?? this.after;
    for (const row of rows) {
      // Taken rows are left out now, not when their turn comes: one that is settled in between would be sent twice.
      if (row.id > this.upTo || this.obstacles.isTaken(row.id)) continue;
      const ofDevice = this.page.get(row.device);
      if (ofDevice === undefined) this.page.set(row.device, [row]);
      else ofDevice.push(row);
    }
    return true;
  }

  private keptRows(): number {
    return [...this.page.values()].reduce((sum, rows) => sum + rows.length, 0);
  }

  look(): void {
    this.exhausted = false;
  }

  rewind(after: number): void {
    this.after = after;
    this.page.clear();
    this.exhausted = false;
  }
}
