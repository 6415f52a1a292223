/** Methods as people write them on the command line. */
import { fail } from '../../core/errors.ts';
import { parsePoint } from '../../reading/point-text.ts';

export interface MethodPoint {
  /** null: to be looked up in the object list. */
  readonly classId: number | null;
  readonly obis: string;
  readonly method: number;
}

/** `[CLASS:]OBIS:METHOD`. Throws INVALID_POINT. */
export function parseMethod(text: string): MethodPoint {
  const match = /^(.+):(\d{1,3})$/.exec(text.trim());
  const method = Number(match?.[2]);
  if (match === null || method < 1 || method > 127) {
    return fail('INVALID_POINT', `"${text}" names no method`, {
      hint: 'write [CLASS:]OBIS:METHOD, for example 70:0.0.96.3.10.255:1',
    });
  }
  const { classId, obis } = parsePoint(match[1] ?? '');
  return { classId, obis, method };
}
