/** The port through which octets reach a meter and come back. It knows nothing of frames. */
import type { BridgeError } from '../core/errors.ts';

export interface TransportEvents {
  /** Octets as they came, in any portions. */
  data(bytes: Uint8Array): void;
  /** Once, when the line is gone without `close` having been called. */
  closed(reason: BridgeError): void;
}

/** How the meter that is called is signed on to, for transports that do (mode E). */
export interface SignOnStyle {
  /** Pause between the acknowledgement and the new rate, milliseconds. */
  readonly switchWaitMs: number;
  /** false: the line stays at the rate of the sign-on. */
  readonly switchBaud: boolean;
}

export interface Transport {
  /** For people: `tcp 10.0.0.7:4059`, `serial /dev/ttyUSB0 9600 8N1`. */
  readonly description: string;
  /** Opens the line. Throws LINE_* or SERIAL_PORT_*; may be called again after `close` or `closed`. */
  open(events: TransportEvents, style?: SignOnStyle): Promise<void>;
  /** Resolves when the octets are handed to the system. Throws LINE_CLOSED or LINE_IO. */
  write(bytes: Uint8Array): Promise<void>;
  /** Idempotent; `closed` is not called for it. */
  close(): Promise<void>;
}
