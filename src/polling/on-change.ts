/** Which readings are worth publishing: all of a point, or only those that differ from what was published last. */
import { scaledText } from '../core/decimal.ts';
import type { PointOptions } from '../reading/point-options.ts';
import type { Reading, ReadingValue } from '../reading/reading.ts';

export interface PublishRuled {
  readonly key: string;
  readonly options?: Pick<PointOptions, 'publish' | 'maxSilenceMs'>;
}

interface Published {
  readonly value: string;
  readonly quality: Reading['quality'];
  readonly at: number;
}

/** One meter's memory of what was published last; it begins empty, so that the first value always goes. */
export class ChangeFilter {
  private readonly rules: ReadonlyMap<string, { readonly maxSilenceMs: number | null }>;
  private readonly last = new Map<string, Published>();

  constructor(points: readonly PublishRuled[]) {
    this.rules = new Map(
      points.flatMap(({ key, options }) =>
        options?.publish === 'on-change' ? [[key, { maxSilenceMs: options.maxSilenceMs }]] : [],
      ),
    );
  }

  /** The readings to publish; `now` on a monotonic clock. */
  worth(readings: readonly Reading[], now: number): Reading[] {
    if (this.rules.size === 0) return [...readings];
    return readings.filter(({ key, value, quality }) => {
      const rule = this.rules.get(key);
      const last = this.last.get(key);
      if (rule === undefined || last === undefined) return true;
      if (last.value !== valueText(value) || last.quality !== quality) return true;
      return rule.maxSilenceMs !== null && now - last.at >= rule.maxSilenceMs;
    });
  }

  /** They are stored for publication. */
  note(readings: readonly Reading[], now: number): void {
    for (const { key, value, quality } of readings) {
      if (this.rules.has(key)) this.last.set(key, { value: valueText(value), quality, at: now });
    }
  }
}

function valueText(value: ReadingValue): string {
  return typeof value === 'object' ? scaledText(value) : `${typeof value}:${value}`;
}
