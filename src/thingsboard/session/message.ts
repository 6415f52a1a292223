/** What is published, as text. */
/** ThingsBoard closes on a packet whose remaining length (topic, identifier, properties, payload) is above this. */
export const MAX_REMAINING_LENGTH = 65_536;

export interface Message {
  readonly topic: string;
  readonly payload: string;
  /** Values in it; absent for what is no telemetry. */
  readonly points?: number;
}
