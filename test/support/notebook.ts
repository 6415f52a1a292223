/** A meter of a few lines for SET and ACTION: it keeps what is written, gives back what it is called with, in blocks too. */
import { expect } from 'vitest';
import { concat } from '../../src/core/bytes.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import { type Apdu, decodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import { invokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import type { ActionRequest, ActionResponse, SetRequest, SetResponse } from '../../src/dlms/xdlms/services.ts';

const ID = invokeIdAndPriority(1);

/** A meter that joins what is written in blocks, and answers in blocks of `blockSize` octets where it has to. */
export class Notebook {
  readonly written: Data[] = [];
  private parts: Uint8Array[] = [];
  private isList = false;
  private readonly blockSize: number;
  private outgoing: Uint8Array[] = [];

  constructor(blockSize = 50) {
    this.blockSize = blockSize;
  }

  readonly set: (request: Apdu) => Apdu = (apdu) => {
    const request = apdu as SetRequest;
    const header = { apdu: 'set-response', invokeIdAndPriority: ID } as const;
    const success = dataAccessResult(0);
    switch (request.type) {
      case 'normal':
        this.written.push(request.value);
        return { ...header, type: 'normal', result: success };
      case 'with-list':
        this.written.push(...request.values);
        return { ...header, type: 'with-list', results: request.values.map(() => success) };
      default: {
        this.take(request);
        const { blockNumber } = request;
        if (!request.lastBlock) return { ...header, type: 'datablock', blockNumber } satisfies SetResponse;
        const values = this.joined();
        this.written.push(...values);
        return this.isList
          ? { ...header, type: 'last-datablock-with-list', results: values.map(() => success), blockNumber }
          : { ...header, type: 'last-datablock', result: success, blockNumber };
      }
    }
  };

  /** Gives back what it was given. */
  readonly action: (request: Apdu) => Apdu = (apdu) => {
    const request = apdu as ActionRequest;
    const header = { apdu: 'action-response', invokeIdAndPriority: ID } as const;
    switch (request.type) {
      case 'next-pblock':
        return this.nextBlock(header, request.blockNumber + 1);
      case 'normal':
        return this.echo(header, [request.parameters ?? { type: 'null-data' }], false);
      case 'with-list':
        return this.echo(header, request.parameters, true);
      default:
        this.take(request);
        if (!request.lastBlock) return { ...header, type: 'next-pblock', blockNumber: request.blockNumber };
        return this.echo(header, this.joined(), this.isList);
    }
  };

  private echo(
    header: Pick<ActionResponse, 'apdu' | 'invokeIdAndPriority'>,
    values: readonly Data[],
    isList: boolean,
  ): Apdu {
    const success = Uint8Array.of(0, 1, 0);
    const outcomes = values.flatMap((value) => [success, dataBytes(value)]);
    const whole = concat(isList ? [Uint8Array.of(values.length), ...outcomes] : outcomes);
    const single = decodeApdu(concat([Uint8Array.of(0xc7, isList ? 3 : 1, 0xc1), whole]));
    if (whole.length <= this.blockSize) return single;
    this.outgoing = [];
    for (let at = 0; at < whole.length; at += this.blockSize)
      this.outgoing.push(whole.subarray(at, at + this.blockSize));
    return this.nextBlock(header, 1);
  }

  private nextBlock(header: Pick<ActionResponse, 'apdu' | 'invokeIdAndPriority'>, blockNumber: number): Apdu {
    const rawData = this.outgoing[blockNumber - 1] ?? new Uint8Array(0);
    const lastBlock = blockNumber >= this.outgoing.length;
    return { ...header, apdu: 'action-response', type: 'with-pblock', lastBlock, blockNumber, rawData };
  }

  private take(request: { readonly type: string; readonly blockNumber: number; readonly rawData: Uint8Array }): void {
    if (request.type.includes('first')) {
      this.parts = [];
      this.isList = request.type.includes('list');
    }
    expect(request.blockNumber).toBe(this.parts.length + 1);
    this.parts.push(request.rawData.slice());
  }

  private joined(): Data[] {
    let whole = concat(this.parts);
    if (!this.isList) return [parseData(whole)];
    const count = whole[0] ?? 0;
    // Tag array, the same count and the same elements: read as one.
    whole = concat([Uint8Array.of(1), whole]);
    const list = parseData(whole) as { readonly type: 'array'; readonly value: readonly Data[] };
    expect(list.value).toHaveLength(count);
    return [...list.value];
  }
}
