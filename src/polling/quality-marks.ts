/**
 * ThingsBoard keeps a value and its time, nothing else. So the quality of a reading goes beside it, as text under its own
 * key: `energyQuality: "doubtful"` at the time of the reading; and once `"good"` when the key is good again.
 */
import type { Reading } from '../reading/reading.ts';

const SUFFIX = 'Quality';

export class QualityMarks {
  /** Keys whose last mark was not good. */
  private readonly marked = new Set<string>();

  /** The marks that go with the readings, in their order. Client attributes have no time, and none. */
  of(readings: readonly Reading[]): readonly Reading[] {
    const marked = new Set(this.marked);
    return readings.flatMap((reading) => {
      const { key, quality } = reading;
      // A doubt of our own clock is over before it is published.
      if (reading.kind === 'attribute' || quality === 'unsynchronised') return [];
      if (quality === 'good' && !marked.delete(key)) return [];
      if (quality !== 'good') marked.add(key);
      return [{ ...reading, key: key + SUFFIX, value: quality, unit: null, quality: 'good' as const }];
    });
  }

  /** The readings are stored. */
  note(readings: readonly Reading[]): void {
    for (const { key, quality, kind } of readings) {
      if (kind === 'attribute' || quality === 'unsynchronised') continue;
      if (quality === 'good') this.marked.delete(key);
      else this.marked.add(key);
    }
  }
}
