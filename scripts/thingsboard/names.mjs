// Identifiers that are the same each time the files are written. They mean something only within one file: ThingsBoard gives
// its own to what it imports.
import { createHash } from 'node:crypto';

/** A UUID (RFC 9562, version 8) that follows from a name. */
export function uuidOf(name) {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
