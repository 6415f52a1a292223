/** Which lines have something new to say: to write again what is known wears the disk, and takes long for thousands. */
import type { MeterLine } from '../../line/worker-types.ts';
import type { StatusEntry } from '../../store/local/types.ts';

export class LineNews {
  /** By the line's id, what was said of it last. */
  private readonly told = new Map<number, string>();

  /** The status of the lines of which something is another than when this was asked last. */
  take(lines: ReadonlyMap<number, Pick<MeterLine, 'snapshot'>>): readonly StatusEntry[] {
    for (const id of this.told.keys()) if (!lines.has(id)) this.told.delete(id);
    return [...lines].flatMap(([id, line]) => {
      // A time that only grows is no news.
      const { averageUptimeMs, ...news } = line.snapshot();
      const text = JSON.stringify(news);
      if (this.told.get(id) === text) return [];
      this.told.set(id, text);
      return [{ subject: `line:${id}`, json: JSON.stringify({ ...news, averageUptimeMs }) }];
    });
  }
}
