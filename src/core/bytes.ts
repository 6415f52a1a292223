/** Bounded readers and writers of octets, and hex. Multi-octet integers are big-endian, as A-XDR wants them. */
import { type ErrorCode, fail, type Layer } from './errors.ts';

/** Reads forward over octets that it does not copy; every read checks that they are there. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly layer: Layer;
  offset: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, layer: Layer, offset = 0) {
    this.bytes = bytes;
    this.layer = layer;
    this.offset = offset;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  /** Moves past `count` octets and returns where they began; throws TRUNCATED when they are not there. */
  private advance(count: number, what: string): number {
    const start = this.offset;
    if (count > this.bytes.length - start) {
      this.fail('TRUNCATED', `${what} needs ${count} octets at offset ${start}, ${this.bytes.length - start} are left`);
    }
    this.offset = start + count;
    return start;
  }

  peek(): number | undefined {
    return this.bytes[this.offset];
  }
  u8(what = 'octet'): number {
    return this.view.getUint8(this.advance(1, what));
  }
  u16(what = 'uint16'): number {
    return this.view.getUint16(this.advance(2, what));
  }
  u32(what = 'uint32'): number {
    return this.view.getUint32(this.advance(4, what));
  }
  u64(what = 'uint64'): bigint {
    return this.view.getBigUint64(this.advance(8, what));
  }
  i8(what = 'int8'): number {
    return this.view.getInt8(this.advance(1, what));
  }
  i16(what = 'int16'): number {
    return this.view.getInt16(this.advance(2, what));
  }
  i32(what = 'int32'): number {
    return this.view.getInt32(this.advance(4, what));
  }
  i64(what = 'int64'): bigint {
    return this.view.getBigInt64(this.advance(8, what));
  }
  f32(what = 'float32'): number {
    return this.view.getFloat32(this.advance(4, what));
  }
  f64(what = 'float64'): number {
    return this.view.getFloat64(this.advance(8, what));
  }

  /** A view of the next `count` octets. */
  take(count: number, what = 'octets'): Uint8Array {
    const start = this.advance(count, what);
    return this.bytes.subarray(start, start + count);
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  expectEnd(what: string): void {
    if (this.remaining > 0) this.fail('TRAILING_BYTES', `${this.remaining} octets follow a complete ${what}`);
  }

  fail(code: ErrorCode, message: string): never {
    fail(code, message, { layer: this.layer, facts: { offset: this.offset } });
  }
}

/** Grows as it is written to. */
export class ByteWriter {
  private buffer: Uint8Array;
  private view: DataView;
  private used = 0;

  constructor(capacity = 64) {
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  get length(): number {
    return this.used;
  }

  private advance(count: number): number {
    const start = this.used;
    if (start + count > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.buffer.length * 2, start + count));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    this.used = start + count;
    return start;
  }

  u8(value: number): this {
    const at = this.advance(1);
    this.view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.advance(2);
    this.view.setUint16(at, value);
    return this;
  }
  u32(value: number): this {
    const at = this.advance(4);
    this.view.setUint32(at, value);
    return this;
  }
  u64(value: bigint): this {
    const at = this.advance(8);
    this.view.setBigUint64(at, value);
    return this;
  }
  i64(value: bigint): this {
    const at = this.advance(8);
    this.view.setBigInt64(at, value);
    return this;
  }
  f32(value: number): this {
    const at = this.advance(4);
    this.view.setFloat32(at, value);
    return this;
  }
  f64(value: number): this {
    const at = this.advance(8);
    this.view.setFloat64(at, value);
    return this;
  }
  bytes(octets: Uint8Array): this {
    const at = this.advance(octets.length);
    this.buffer.set(octets, at);
    return this;
  }

  /** What was written, as a copy that later writes do not change. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.used);
  }
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Octets from hex; white space, `0x` and `:`/`-` separators are allowed. Throws INVALID_VALUE on anything else. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/0x/gi, '').replace(/[\s:,-]/g, '');
  if (digits.length % 2 !== 0) fail('INVALID_VALUE', `hex needs pairs of digits, there are ${digits.length} digits`);
  const wrong = digits.search(/[^0-9a-f]/i);
  if (wrong >= 0) fail('INVALID_VALUE', `"${digits[wrong]}" is no hex digit`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
