/** Data-Access-Result and Action-Result (Green Book 9.5), and what each means as an error of ours. */
import { BridgeError, type ErrorCode } from '../../core/errors.ts';
import type { Codec } from '../axdr/codec.ts';
import { type NameTable, nameTable } from '../axdr/names.ts';

/** What a server answers for one attribute or method. `name` is `unassigned-N` for a code that the standard has not. */
export interface ResultCode {
  readonly code: number;
  readonly name: string;
}
export type DataAccessResult = ResultCode;
export type ActionResult = ResultCode;

const COMMON = {
  0: 'success',
  1: 'hardware-fault',
  2: 'temporary-failure',
  3: 'read-write-denied',
  4: 'object-undefined',
  9: 'object-class-inconsistent',
  11: 'object-unavailable',
  12: 'type-unmatched',
  13: 'scope-of-access-violated',
  14: 'data-block-unavailable',
  250: 'other-reason',
} as const;

export const DATA_ACCESS_RESULTS = nameTable({
  ...COMMON,
  15: 'long-get-aborted',
  16: 'no-long-get-in-progress',
  17: 'long-set-aborted',
  18: 'no-long-set-in-progress',
  19: 'data-block-number-invalid',
});

export const ACTION_RESULTS = nameTable({
  ...COMMON,
  15: 'long-action-aborted',
  16: 'no-long-action-in-progress',
});

const ERRORS: Readonly<Record<number, ErrorCode>> = {
  1: 'DATA_ACCESS_HARDWARE_FAULT',
  2: 'DATA_ACCESS_TEMPORARY_FAILURE',
  3: 'DATA_ACCESS_READ_WRITE_DENIED',
  4: 'DATA_ACCESS_OBJECT_UNDEFINED',
  9: 'DATA_ACCESS_OBJECT_CLASS_INCONSISTENT',
  11: 'DATA_ACCESS_OBJECT_UNAVAILABLE',
  12: 'DATA_ACCESS_TYPE_UNMATCHED',
  13: 'DATA_ACCESS_SCOPE_VIOLATED',
  14: 'DATA_ACCESS_DATA_BLOCK_UNAVAILABLE',
  15: 'DATA_ACCESS_LONG_GET_ABORTED',
  16: 'DATA_ACCESS_NO_LONG_GET',
  17: 'DATA_ACCESS_LONG_SET_ABORTED',
  18: 'DATA_ACCESS_NO_LONG_SET',
  19: 'DATA_ACCESS_DATA_BLOCK_NUMBER_INVALID',
};

export function dataAccessResult(code: number): DataAccessResult {
  return { code, name: DATA_ACCESS_RESULTS.nameOf(code) };
}

export function actionResult(code: number): ActionResult {
  return { code, name: ACTION_RESULTS.nameOf(code) };
}

/** The error code for a data-access-result that is not success. */
export function dataAccessErrorCode(code: number): ErrorCode {
  return ERRORS[code] ?? 'DATA_ACCESS_OTHER_REASON';
}

/** The error for a data-access-result that is not success; `what` names the attribute that was asked for. */
export function dataAccessError(code: number, what: string): BridgeError {
  return new BridgeError(dataAccessErrorCode(code), `${what}: ${DATA_ACCESS_RESULTS.nameOf(code)} (${code})`, {
    facts: { dataAccessResult: code },
  });
}

function resultCodec({ nameOf }: NameTable<string>): Codec<ResultCode> {
  return {
    decode(reader) {
      const code = reader.u8('result');
      return { code, name: nameOf(code) };
    },
    encode: (writer, { code }) => void writer.u8(code),
  };
}

export const dataAccessResultCodec: Codec<DataAccessResult> = resultCodec(DATA_ACCESS_RESULTS);
export const actionResultCodec: Codec<ActionResult> = resultCodec(ACTION_RESULTS);
