/**
 * Takes our own octets out of what a line gives back: optical heads and two-wire converters repeat what is written.
 * Octets are held back while they may be the echo. The first one that is not gives them back with everything behind:
 * then there was no echo, or a disturbed one, which the framing above throws away.
 */
export class EchoFilter {
  /** Written and not come back yet. */
  private awaited: number[] = [];
  private held: number[] = [];

  wrote(bytes: Uint8Array): void {
    this.awaited.push(...bytes);
  }

  /** What of the octets received is not ours. */
  received(bytes: Uint8Array): Uint8Array {
    let at = 0;
    while (at < bytes.length && this.awaited.length > 0) {
      if (bytes[at] !== this.awaited[0]) {
        const given = Uint8Array.from([...this.held, ...bytes.subarray(at)]);
        this.clear();
        return given;
      }
      this.held.push(this.awaited.shift() ?? 0);
      at += 1;
    }
    if (this.awaited.length === 0) this.held = [];
    return bytes.subarray(at);
  }

  clear(): void {
    this.awaited = [];
    this.held = [];
  }
}
