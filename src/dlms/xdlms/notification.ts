/** What meters send unasked: data-notification [15], its confirm [16], event-notification-request [194] (Green Book 9.3.9). */
import { type Codec, dataValue, sequence } from '../axdr/codec.ts';
import { attributeReference, dateTimeStamp, optionalDateTimeStamp } from './elements.ts';
import { longInvokeIdCodec } from './invoke-id.ts';
import type { DataNotification, DataNotificationConfirm, EventNotificationRequest } from './services.ts';

const header = { longInvokeIdAndPriority: longInvokeIdCodec, dateTime: dateTimeStamp };

export const dataNotification: Codec<Omit<DataNotification, 'apdu'>> = sequence<Omit<DataNotification, 'apdu'>>({
  ...header,
  body: dataValue,
});

export const dataNotificationConfirm: Codec<Omit<DataNotificationConfirm, 'apdu'>> =
  sequence<Omit<DataNotificationConfirm, 'apdu'>>(header);

export const eventNotificationRequest: Codec<Omit<EventNotificationRequest, 'apdu'>> = sequence<
  Omit<EventNotificationRequest, 'apdu'>
>({
  time: optionalDateTimeStamp,
  attribute: attributeReference,
  value: dataValue,
});
