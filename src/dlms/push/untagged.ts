/**
 * A body that is no A-XDR Data: some meters (EG.D of the Czech Republic) write the entries of the list as
 * `02 02 | cosem-attribute-descriptor | Data`, the descriptor (class, OBIS, attribute) without any tag. Simple values may
 * stand before the list. Read only where the strict decoder has failed.
 */
import { ByteReader } from '../../core/bytes.ts';
import { type Data, decodeData } from '../axdr/data.ts';
import { decodeCount } from '../axdr/length.ts';
import { TAGS } from '../axdr/scalar.ts';
import { attributeReference, dateTimeStamp } from '../xdlms/elements.ts';
import { type LongInvokeIdAndPriority, longInvokeIdCodec } from '../xdlms/invoke-id.ts';
import type { DateTimeStamp } from '../xdlms/services.ts';
import type { PushItem } from './body.ts';

const DATA_NOTIFICATION = 0x0f;
const ENTRY_MEMBERS = 2;

export interface UntaggedNotification {
  readonly apdu: 'data-notification';
  readonly longInvokeIdAndPriority: LongInvokeIdAndPriority;
  readonly dateTime: DateTimeStamp | null;
  /** Values before the list. */
  readonly leading: readonly Data[];
  readonly items: readonly PushItem[];
}

/** Throws TRUNCATED, MALFORMED, TRAILING_BYTES or LIMIT_EXCEEDED when octets are not of this form to the last one. */
export function decodeUntaggedNotification(octets: Uint8Array): UntaggedNotification {
  const reader = new ByteReader(octets, 'xdlms');
  if (reader.u8('APDU tag') !== DATA_NOTIFICATION) reader.fail('MALFORMED', 'this is no data-notification');
  const longInvokeIdAndPriority = longInvokeIdCodec.decode(reader);
  const dateTime = dateTimeStamp.decode(reader);
  const members = header(reader, TAGS.structure);
  if (members === 0) reader.fail('MALFORMED', 'a body without members');
  const leading: Data[] = [];
  for (let index = 1; index < members; index += 1) leading.push(decodeData(reader));
  const count = header(reader, TAGS.array);
  const items: PushItem[] = [];
  for (let index = 0; index < count; index += 1) items.push(entry(reader));
  reader.expectEnd('data-notification');
  return { apdu: 'data-notification', longInvokeIdAndPriority, dateTime, leading, items };
}

function header(reader: ByteReader, tag: number): number {
  if (reader.u8('data tag') !== tag) reader.fail('MALFORMED', 'this is no list of untagged attribute descriptors');
  return decodeCount(reader, 'list');
}

function entry(reader: ByteReader): PushItem {
  if (header(reader, TAGS.structure) !== ENTRY_MEMBERS) {
    reader.fail('MALFORMED', 'an entry has an attribute descriptor and a value');
  }
  const { classId, instanceId, attributeId } = attributeReference.decode(reader);
  const attribute = { classId, attributeId, dataIndex: null };
  return { obis: instanceId, attribute, data: decodeData(reader), scalerUnit: null, isList: false };
}
