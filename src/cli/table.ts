/** Tables for people: plain text, no borders, so that they can be cut and grepped. Of ten thousand rows, too. */

const GAP = '  ';
// biome-ignore lint/suspicious/noControlCharactersInRegex: what begins a colour
const COLOUR = /\u001b\[\d{1,2}m/g;
/** Letters of two columns: East Asian ones and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/gu;
/** Those that stand on the one before. */
const COMBINING = /\p{M}/gu;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  // A row is a line.
  const lines = [head, ...rows].map((line) => line.map((cell) => cell.replaceAll('\n', ' ')));
  const widths = head.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, widthOf(line[column] ?? '')), 0),
  );
  return lines
    .map((line) =>
      widths
        .map((width, column) => padded(line[column] ?? '', width))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(width - widthOf(cell));
}

/** Columns that a text takes on a terminal. */
function widthOf(text: string): number {
  const shown = text.replace(COLOUR, '').replace(COMBINING, '');
  return [...shown].length + (shown.match(WIDE)?.length ?? 0);
}
