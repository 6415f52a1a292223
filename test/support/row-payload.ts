/** The messages of one row as topic and payload alone. */
import type { TargetMode } from '../../src/store/fleet/types.ts';
import type { OutboxRow } from '../../src/store/local/types.ts';
import { rowsPayload } from '../../src/thingsboard/delivery/payload.ts';
import { MAX_REMAINING_LENGTH, type Message } from '../../src/thingsboard/session/message.ts';

export function rowPayload(
  row: OutboxRow,
  mode: TargetMode,
  limit: number = MAX_REMAINING_LENGTH,
): { messages: Message[]; unpublishable: { key: string; reason: string }[] } {
  const packet = { soft: limit, hard: limit, points: Number.POSITIVE_INFINITY };
  const { messages, unpublishable } = rowsPayload([row], mode, packet);
  return {
    messages: messages.map(({ message: { topic, payload } }) => ({ topic, payload })),
    unpublishable: unpublishable.map(({ key, reason }) => ({ key, reason })),
  };
}
