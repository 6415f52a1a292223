import { expect, test } from 'vitest';
import { obisName } from '../../src/dlms/cosem/obis-names.ts';

test.each([
  ['1.0.1.8.0.255', 'active, import, energy'],
  ['1.0.2.8.3.255', 'active, export, energy, tariff 3'],
  ['1.0.32.7.0.255', 'voltage L1, instantaneous'],
  ['1.0.71.7.0.255', 'current L3, instantaneous'],
  ['1.0.91.7.0.255', 'current in the neutral, instantaneous'],
  ['1.0.13.7.0.255', 'power factor, instantaneous'],
  ['1.0.1.6.1.255', 'active, import, maximum, tariff 1'],
  ['1.0.99.1.0.255', 'load profile'],
  ['0.0.1.0.0.255', 'clock'],
  ['0.0.25.9.0.255', 'push setup'],
  ['0.1.24.2.1.255', 'M-Bus client value'],
  ['0.0.96.3.10.255', 'disconnect control'],
  ['0.0.40.0.3.255', 'association'],
])('%s is %s', (obis, name) => expect(obisName(obis)).toBe(name));

test.each([
  '1.0.99.8.0.255',
  '1.0.0.200.0.255',
  '1.0.81.7.0.255',
  '1.0.1.200.0.255',
  '7.0.3.0.0.255',
  '0.0.200.0.0.255',
  '',
])('nothing is known of "%s"', (obis) => expect(obisName(obis)).toBeNull());
