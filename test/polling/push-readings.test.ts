/** What a push says, as readings: by place, by object, by default; scalers, times, what is left out and why. */
import { describe, expect, test } from 'vitest';
import { decimalText } from '../../src/core/decimal.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../src/dlms/axdr/date-time.ts';
import { obisBytes } from '../../src/dlms/axdr/obis.ts';
import { ShortNames } from '../../src/dlms/cosem/short-names.ts';
import { contentOf, type PushContent } from '../../src/dlms/push/receiver.ts';
import { DEFAULT_METER_SETTINGS } from '../../src/dlms/settings.ts';
import { longInvokeIdAndPriority } from '../../src/dlms/xdlms/invoke-id.ts';
import { knowledgeOf } from '../../src/meter/knowledge.ts';
import { pushPlan, pushReadings } from '../../src/polling/push-readings.ts';

const AT = Date.UTC(2026, 6, 1, 12);
const RECEIVED = AT + 5000;
const ENERGY = '1.0.1.8.0.255';
const VOLTAGE = '1.0.32.7.0.255';

const name = (obis: string): Data => ({ type: 'octet-string', value: obisBytes(obis) });
const whole = (value: number): Data => ({ type: 'double-long-unsigned', value });
const scalerUnit = (scaler: number, unit: number): Data => ({
  type: 'structure',
  value: [
    { type: 'integer', value: scaler },
    { type: 'enum', value: unit },
  ],
});
const structure = (...value: Data[]): Data => ({ type: 'structure', value });

function pushed(body: Data, at: number | null = AT): PushContent {
  const clock = at === null ? null : cosemDateTimeOf(at, -60);
  const dateTime = clock === null ? null : { ...clock, hex: dateTimeBytes(clock) };
  return contentOf({ apdu: 'data-notification', longInvokeIdAndPriority: longInvokeIdAndPriority(1), dateTime, body });
}

function read(content: PushContent, push: readonly string[], knowledge = knowledgeOf(new Map())) {
  const plan = pushPlan({ ...DEFAULT_METER_SETTINGS, push }, []);
  const { readings, unmapped, timed } = pushReadings(content, plan, knowledge, RECEIVED);
  const values = readings.map(({ key, value, unit, ts }) => [
    key,
    typeof value === 'object' ? decimalText(value) : value,
    unit,
    ts,
  ]);
  return { values, unmapped, timed };
}

describe('push readings', () => {
  test('by object, with the scaler beside the value', () => {
    const body = structure(name(ENERGY), whole(12_345), scalerUnit(-2, 30), name(VOLTAGE), whole(2301));
    expect(read(pushed(body), [`3:${ENERGY}=e`, `3:${VOLTAGE}=v@scaler:-1@unit:V`])).toEqual({
      values: [
        ['e', '123.45', 'Wh', AT],
        ['v', '230.1', 'V', AT],
      ],
      unmapped: [],
      timed: 'meter',
    });
  });

  test('by place, from 1; the scaler of the options, else none', () => {
    expect(read(pushed(structure(whole(7), whole(2301)), null), ['2=v@scaler:-1', '1=count'])).toEqual({
      values: [
        ['count', '7', null, RECEIVED],
        ['v', '230.1', null, RECEIVED],
      ],
      unmapped: [],
      timed: 'reception',
    });
  });

  test('a number whose scaler nobody knows is no reading', () => {
    const content = pushed(structure(name(ENERGY), whole(12_345)));
    expect(read(content, [`3:${ENERGY}=e`])).toMatchObject({
      values: [],
      unmapped: [`${ENERGY}: the scaler is not known`],
    });
    const known = knowledgeOf(
      new Map([
        [`scaler-unit:3:${ENERGY}`, JSON.stringify({ scaler: 1, unit: 30 })],
        ['object-classes', JSON.stringify([[ENERGY, 3]])],
      ]),
    );
    expect(read(content, [`3:${ENERGY}=e`], known).values).toEqual([['e', '123450', 'Wh', AT]]);
  });

  test('without any configuration: keys of the codes; what the push says of itself is no value', () => {
    const clock: Data = { type: 'octet-string', value: dateTimeBytes(cosemDateTimeOf(AT - 1000, 0)) };
    const body = structure(
      ...[name('0.0.1.0.0.255'), clock, name('0.0.42.0.0.255'), name('1.1.1.1.1.1')],
      ...[name(ENERGY), whole(5), scalerUnit(0, 30), name('1.0.32.5.0.255'), whole(6), scalerUnit(0, 35)],
    );
    expect(read(pushed(body, null), [])).toEqual({
      values: [
        ['activeImportEnergy', '5', 'Wh', AT - 1000],
        ['obis_1_0_32_5_0_255', '6', 'V', AT - 1000],
      ],
      unmapped: [],
      timed: 'meter',
    });
  });

  test('what is not configured is told, once anything is', () => {
    const body = structure(name(ENERGY), whole(5), scalerUnit(0, 30), name(VOLTAGE), whole(6), scalerUnit(0, 35));
    expect(read(pushed(body), [`3:${VOLTAGE}=v`]).unmapped).toEqual([`${ENERGY}: no key`]);
    expect(read(pushed(structure(whole(1), whole(2))), ['1=a']).unmapped).toEqual(['value 2: no key']);
  });

  test('an informationReport by the short names that are known', () => {
    const variables = [{ 'variable-name': 0x1008 }, { 'variable-name': 0x2000 }];
    const data = [whole(77), whole(88)];
    const content = contentOf({
      apdu: 'informationReportRequest',
      currentTime: Buffer.from('20260701120000Z'),
      variables,
      data,
    });
    const shortNames = new ShortNames([{ classId: 3, version: 0, obis: ENERGY, baseName: 0x1000 }]);
    const knowledge = { ...knowledgeOf(new Map()), shortNames };
    const { values } = read(content, [`3:${ENERGY}=e@scaler:0`], knowledge);
    expect(values).toEqual([['e', '77', null, AT]]);
    expect(shortNames.attributeAt(0x1003)).toBeNull();
    expect(shortNames.attributeAt(0x0fff)).toBeNull();
  });

  test('other APDUs and values that do not fit are told', () => {
    expect(
      read(
        {
          kind: 'apdu',
          apdu: {
            apdu: 'data-notification-confirm',
            longInvokeIdAndPriority: longInvokeIdAndPriority(1),
            dateTime: null,
          },
        },
        [],
      ),
    ).toMatchObject({
      values: [],
      unmapped: ['a data-notification-confirm'],
    });
    const { values, unmapped } = read(pushed(structure({ type: 'visible-string', value: 'x' })), ['1=n@integer']);
    expect(values).toEqual([]);
    expect(unmapped).toEqual(['value 1: "x" of "n" is no integer']);
  });
});
