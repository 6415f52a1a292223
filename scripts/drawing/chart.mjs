// A time series chart as SVG: bars or lines, an axis of values, an axis of time, lines of limits.

/** @typedef {{label: string, color: string, kind: 'bar' | 'line' | 'step', points: readonly (readonly [number, number])[]}} Series */

const LEFT = 70;
const BOTTOM = 22;
const TOP = 8;

/**
 * @param {{width: number, height: number, from: number, to: number, units: string, series: readonly Series[],
 *   limits: readonly number[], decimals: number, time: (at: number) => string}} chart
 */
export function chartSvg({ width, height, from, to, units, series, limits, decimals, time }) {
  const values = [...series.flatMap(({ points }) => points.map(([, value]) => value)), ...limits];
  const isBased = series.some(({ kind }) => kind !== 'line') || Math.min(...values) < Math.max(...values) / 4;
  const [low, high] = span(isBased ? [0, ...values] : values, 10 ** -decimals);
  const x = (at) => LEFT + ((at - from) / (to - from)) * (width - LEFT - 10);
  const y = (value) => height - BOTTOM - ((value - low) / (high - low)) * (height - BOTTOM - TOP);
  const ticks = Array.from({ length: 5 }, (_, index) => low + ((high - low) * index) / 4);
  const times = Array.from({ length: 6 }, (_, index) => from + ((to - from) * (index + 0.5)) / 6);
  const bars = series.filter(({ kind }) => kind === 'bar');
  return `<svg width="${width}" height="${height}">
    ${ticks.map((tick) => `<line x1="${LEFT}" x2="${width - 10}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e0e0e0"/><text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${tick.toFixed(decimals)}${units === '' ? '' : ` ${units}`}</text>`).join('')}
    ${times.map((at) => `<text x="${x(at)}" y="${height - 5}" text-anchor="middle">${time(at)}</text>`).join('')}
    ${limits.map((limit) => `<line x1="${LEFT}" x2="${width - 10}" y1="${y(limit)}" y2="${y(limit)}" stroke="#e53935" stroke-width="2" stroke-dasharray="6 4"/>`).join('')}
    ${series.map((one) => (one.kind === 'bar' ? barsOf(one, bars.indexOf(one), bars.length, x, y) : lineOf(one, x, y))).join('')}
  </svg>`;
}

/** Round numbers around the values, four steps of at least `finest` apart. */
function span(values, finest) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const raw = Math.max((most - least) / 4, finest);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const low = Math.floor(least / step) * step;
  return [low, Math.max(low + 4 * step, Math.ceil(most / step) * step)];
}

function barsOf({ color, points }, index, count, x, y) {
  const pitch = points.length > 1 ? x(points[1][0]) - x(points[0][0]) : 20;
  const width = (pitch * 0.8) / count;
  return points
    .map(([at, value]) => {
      const left = x(at) - (pitch * 0.8) / 2 + index * width;
      const [top, bottom] = [Math.min(y(value), y(0)), Math.max(y(value), y(0))];
      return `<rect x="${left}" y="${top}" width="${Math.max(1, width - 1)}" height="${bottom - top}" fill="${color}"/>`;
    })
    .join('');
}

function lineOf({ color, kind, points }, x, y) {
  const path = points.map(([at, value], index) => {
    const before = index === 0 ? '' : `H${x(at).toFixed(1)}`;
    return `${kind === 'step' ? before : ''}${index === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return `<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
}
