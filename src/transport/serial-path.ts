/**
 * Which device a serial port's path means at this moment. `/dev/ttyUSB0` is given to whoever comes first: an adapter that
 * was unplugged may come back as `/dev/ttyUSB1`, and another one may have taken its name. Below `/dev/serial/by-id` each
 * adapter has a name of its own. So the by-id name of what was opened is remembered, and goes before the configured path
 * at the next opening. It is looked up anew each time; an adapter that was replaced by another is found by the path.
 *
 * A `*` in the last part of the path stands for anything: `/dev/serial/by-id/usb-FTDI_*` is whichever adapter of that
 * maker is there, the first by name.
 */
import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export const BY_ID = '/dev/serial/by-id';

/** The by-id name of the device behind a path; null when it has none. Never throws. */
export async function byIdOf(path: string, directory = BY_ID): Promise<string | null> {
  const device = await realOf(path);
  if (device === null || path.startsWith(`${directory}/`)) return null;
  const names = await readdir(directory).catch(() => []);
  for (const name of names.toSorted()) {
    const alias = join(directory, name);
    if ((await realOf(alias)) === device) return alias;
  }
  return null;
}

/** What to open: the remembered name if its adapter is there, else the path as it was configured. */
export async function currentPath(path: string, remembered: string | null): Promise<string> {
  if (remembered !== null && (await realOf(remembered)) !== null) return remembered;
  if (!basename(path).includes('*')) return path;
  const parts = basename(path).split('*');
  const names = await readdir(dirname(path)).catch(() => []);
  const name = names.toSorted().find((candidate) => matches(candidate, parts));
  return name === undefined ? path : join(dirname(path), name);
}

/** Whether the text is these parts, in their order, with anything between them. */
function matches(text: string, [first = '', ...others]: readonly string[]): boolean {
  const last = others.pop() ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function realOf(path: string): Promise<string | null> {
  // Not there is an answer.
  return realpath(path).catch(() => null);
}
