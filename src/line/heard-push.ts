/** A push that a line has heard, opened, and knows the sender of; and who takes it. */
import type { BridgeError } from '../core/errors.ts';
import type { PushContent } from '../dlms/push/receiver.ts';

export interface HeardPush {
  readonly content: PushContent;
  /** Milliseconds UTC. */
  readonly receivedAt: number;
  /** Who sent it, for people. */
  readonly from: string;
  readonly wantsConfirmation: boolean;
  /** Under which key and counter it came; null for one that came plain, or within an association, which watches by itself. */
  readonly counter: {
    readonly encryptionKey: Uint8Array;
    /** Of the sender. */
    readonly systemTitle: Uint8Array;
    readonly invocationCounter: number;
    readonly verified: boolean;
  } | null;
}

export interface PushTaker {
  /** Resolves with whether the push is kept for good: only then is it confirmed. Never rejects. */
  take(push: HeardPush): Promise<boolean>;
  /** One came that cannot be used. */
  refused(from: string, error: BridgeError): void;
}
