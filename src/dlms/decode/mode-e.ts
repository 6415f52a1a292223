/** IEC 62056-21 as `decode` shows it: whatever message the octets are. */
import { fail } from '../../core/errors.ts';
import { decodeDataMessage, isDataMessage } from '../mode-e/data-message.ts';
import {
  asciiText,
  baudRateOf,
  decodeAcknowledgement,
  decodeIdentification,
  decodeRequest,
} from '../mode-e/messages.ts';
import { decodeP1Telegram, looksLikeTelegram } from '../mode-e/p1-telegram.ts';
import { hasEvenParity, stripParity } from '../mode-e/parity.ts';
import { type JsonObject, presentObject } from './present.ts';

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const ACK = 0x06;

/**
 * Decodes one message. Captures of 7E1 lines made with 8N1 still have their parity bits: they are taken off. Throws
 * TRUNCATED, MALFORMED, TRAILING_BYTES, CHECKSUM_WRONG.
 */
export function decodeModeE(captured: Uint8Array): JsonObject {
  const octets = captured.some((octet) => octet > 0x7f) && hasEvenParity(captured) ? stripParity(captured) : captured;
  const [first, second] = octets;
  if (first === SLASH && second === QUESTION_MARK) return presentObject(decodeRequest(octets));
  if (first === SLASH)
    return looksLikeTelegram(octets) ? decodeTelegram(octets) : presentObject(decodeIdentification(octets));
  if (first === ACK) return presentObject(decodeAcknowledgement(octets));
  if (isDataMessage(octets)) return presentObject(decodeDataMessage(octets));
  return decodeBaudCharacter(octets);
}

function decodeTelegram(octets: Uint8Array): JsonObject {
  const telegram = decodeP1Telegram(octets);
  if (telegram.crcValid === false) {
    fail('CHECKSUM_WRONG', `the check sequence is ${telegram.crcField}, it should be ${telegram.crcComputed}`, {
      layer: 'mode-e',
    });
  }
  return presentObject(telegram);
}

function decodeBaudCharacter(octets: Uint8Array): JsonObject {
  const baudRate = octets.length === 1 ? baudRateOf(asciiText(octets)) : null;
  if (baudRate === null) fail('MALFORMED', 'no message of IEC 62056-21 begins so', { layer: 'mode-e' });
  return { kind: 'baud-character', baudRate };
}
