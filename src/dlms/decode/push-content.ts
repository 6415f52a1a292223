/** What a push says, as JSON in the vocabulary of `vectors/push.json`. */
import { createHash } from 'node:crypto';
import type { JsonValue } from '../../core/json.ts';
import type { Data } from '../axdr/data.ts';
import type { PushBody, PushItem } from '../push/body.ts';
import { isCiphered, type Push, type PushContent } from '../push/receiver.ts';
import type { Apdu } from '../xdlms/apdu.ts';
import type { OpenLayer } from './open-layer.ts';
import { type JsonObject, present, presentObject } from './present.ts';

/** A layer that has been taken off. */
export type OpenedLayer = OpenLayer & { readonly plaintext: Uint8Array };

/** Blocks, security layer, and what the push says. */
export function presentPush({ content, protection, blocks, trailing }: Push<OpenedLayer>): JsonObject {
  const [outermost, ...inside] = protection.map(({ opened }) => presentSecurity(opened));
  const plaintext = protection.at(-1)?.opened.plaintext;
  const reassembledLength = blocks.reduce((sum, { length }) => sum + length, 0);
  return {
    ...(blocks.length > 0 && { generalBlockTransfer: { blocks: blocks.map(presentObject), reassembledLength } }),
    ...(outermost !== undefined && { security: outermost }),
    ...(inside.length > 0 && { securityInside: inside }),
    ...(plaintext !== undefined && content.kind !== 'telegram' && { plaintext: present(plaintext) }),
    ...presentContent(content),
    trailingAfterApdu: present(trailing),
  };
}

function presentSecurity({ shown }: OpenedLayer): JsonObject {
  const { layer: _, plaintext: __, ciphertext: ___, ...others } = presentObject(shown);
  return others;
}

/** What a message says: a push with its items, any other APDU as it is. */
export function presentContent(content: PushContent): JsonObject {
  switch (content.kind) {
    case 'data-notification': {
      const { body, ...header } = content.apdu;
      return { ...presentObject(header), ...presentBody(body, content.body) };
    }
    case 'untagged': {
      const { leading, items: _, ...header } = content.apdu;
      const named = Object.fromEntries(leading.map((data) => [data.type, presentValue(data)]));
      return { ...presentObject(header), ...named, ...presentItems(content.body) };
    }
    case 'event-notification':
    case 'information-report':
      return { ...presentObject(content.apdu), ...presentItems(content.body) };
    case 'telegram':
      return presentTelegram(content);
    default:
      return presentOther(content.apdu);
  }
}

function presentBody(body: Data, read: PushBody): JsonObject {
  if (read.layout === 'value') return { bodyType: body.type, bodyValue: presentValue(body) };
  const bodyCount = 'value' in body && Array.isArray(body.value) ? body.value.length : 0;
  return { bodyType: body.type, bodyCount, ...presentItems(read) };
}

function presentItems({ layout, items }: PushBody): JsonObject {
  return { layout, items: items.map(presentItem) };
}

function presentItem({ obis, attribute, data, scalerUnit, shortName, isList }: PushItem): JsonObject {
  const { classId, attributeId, dataIndex } = attribute ?? {};
  const value = isList ? '(this list)' : presentValue(data);
  return {
    ...presentObject({ shortName, classId, obis, attributeId, dataIndex: dataIndex ?? undefined }),
    type: data.type,
    value,
    ...scalerUnit,
  };
}

/** Values of arrays and structures without their types. */
function presentValue(data: Data): JsonValue {
  if (!('value' in data)) return null;
  if (data.type === 'array' || data.type === 'structure' || data.type === 'compact-array') {
    return data.value.map(presentValue);
  }
  return present(data.value);
}

function presentTelegram({ telegram, octets }: Extract<PushContent, { readonly kind: 'telegram' }>): JsonObject {
  const { crcValid, ...shown } = telegram;
  return {
    plaintextLength: octets.length,
    plaintextSha256: createHash('sha256').update(octets).digest('hex'),
    ...presentObject(shown),
    crcValid,
    crcMatches: crcValid,
  };
}

/** A ciphered APDU that no key has opened, with the length of what is inside; any other APDU as it is. */
export function presentOther(apdu: Apdu): JsonObject {
  if (!isCiphered(apdu) || !('ciphertextOrPlain' in apdu)) return presentObject(apdu);
  return presentObject({ ...apdu, ciphertextLength: apdu.ciphertextOrPlain.length });
}
