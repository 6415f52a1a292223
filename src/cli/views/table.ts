/**
 * Tables for people: plain text, no borders, so that they can be cut and grepped. The libraries for it that were tried take
 * half a minute for ten thousand rows.
 */
import stringWidth from 'string-width';

const GAP = '  ';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  // A row is a line.
  const lines = [head, ...rows].map((line) => line.map((cell) => cell.replaceAll('\n', ' ')));
  const widths = head.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, stringWidth(line[column] ?? '')), 0),
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
  return cell + ' '.repeat(width - stringWidth(cell));
}
