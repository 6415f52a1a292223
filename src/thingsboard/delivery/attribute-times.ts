/**
 * Client attributes have no time in ThingsBoard: the last message wins. Live rows go ahead of the backlog, so an attribute
 * that waited in it must not undo what was sent of a later time.
 */
import type { OutboxRow } from '../../store/local/types.ts';

export class AttributeTimes {
  /** By device and key: the time of the newest value that was taken for sending. */
  private readonly newest = new Map<string, number>();

  /** The row without the attributes that a newer value has overtaken; remembers those that stay. */
  current(row: OutboxRow): OutboxRow {
    if (row.readings.every(({ kind }) => kind !== 'attribute')) return row;
    const readings = row.readings.filter(({ kind, key, ts }) => {
      if (kind !== 'attribute') return true;
      const name = JSON.stringify([row.device, key]);
      const newest = this.newest.get(name);
      if (newest !== undefined && ts < newest) return false;
      this.newest.set(name, ts);
      return true;
    });
    return { ...row, readings };
  }
}
