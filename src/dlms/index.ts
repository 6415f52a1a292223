/**
 * `dlms-multi-meter/dlms`: a DLMS/COSEM client stack without I/O. Octets and time-outs go in, octets and values come
 * out; whoever owns the socket, the port and the clock carries them. See docs/dlms.md.
 */

export { type Decimal, decimalText } from '../core/decimal.ts';
export { BridgeError, type ErrorCode, type ErrorReport } from '../core/errors.ts';
export { decodeAcse, encodeAcse } from './acse/acse.ts';
export type { AcseApdu } from './acse/types.ts';
export { AssociationClient, type AssociationOptions } from './association/association.ts';
export type { AssociationEvent, AssociationState, AssociationStep } from './association/states.ts';
export { type Data, dataBytes, parseData } from './axdr/data.ts';
export {
  type CosemDateTime,
  cosemDateTimeOf,
  dateTimeBytes,
  dateTimeOf,
  isoText,
  parseDateTime,
  utcOf,
} from './axdr/date-time.ts';
export { obisBytes, obisText, parseObis } from './axdr/obis.ts';
export { CLASSES, className } from './cosem/classes.ts';
export { type CosemValue, cosemValue } from './cosem/data-value.ts';
export { type CosemObject, decodeObjectList, type ObjectList, parseObjectList } from './cosem/object-list.ts';
export { parseScalerUnit, type ScalerUnit } from './cosem/scaler-unit.ts';
export {
  attributeShortName,
  decodeShortNameList,
  methodShortName,
  type ShortNamedObject,
} from './cosem/short-names.ts';
export { unitSymbol } from './cosem/units.ts';
export { decodeBatch } from './decode/batch.ts';
export { decodeBytes } from './decode/bytes.ts';
export {
  AccessExchange,
  type AccessItem,
  type AccessResult,
} from './exchange/access-exchange.ts';
export { ActionExchange, type MethodCall } from './exchange/action-exchange.ts';
export type { ServiceExchange } from './exchange/exchange.ts';
export { GetExchange } from './exchange/get-exchange.ts';
export { ReadExchange, type VariableSelection } from './exchange/read-exchange.ts';
export { type AttributeValue, SetExchange } from './exchange/set-exchange.ts';
export { unconfirmedWrite, type VariableValue, WriteExchange } from './exchange/write-exchange.ts';
export { HdlcClientLink } from './hdlc/client-link.ts';
export type { ClientLink, Discarded, LinkEvent, LinkOutput } from './link.ts';
export { NO_QUIRKS, parseQuirk, QUIRKS, type Quirks, quirksOf } from './quirks.ts';
export { readCertificate, readPrivateKey, readPublicKey } from './security/key-material.ts';
export {
  type AuthenticationLevel,
  DEFAULT_METER_SETTINGS,
  type MeterSecrets,
  type MeterSettings,
  NO_SECRETS,
} from './settings.ts';
export { decodeWrapper, encodeWrapper, WrapperClientLink } from './wrapper.ts';
export { type Apdu, decodeApdu, encodeApdu } from './xdlms/apdu.ts';
export { type ConformanceBit, conformance } from './xdlms/conformance.ts';
export type { ActionOutcome, AttributeReference, GetResult, MethodReference } from './xdlms/services.ts';
