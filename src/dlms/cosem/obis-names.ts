/** Names of OBIS codes that most meters have (Blue Book 6.2, 6.3, 7): for people, who do not know the numbers by heart. */

/** Abstract objects; `x` stands for any number. The first that fits is taken. */
const ABSTRACT: readonly (readonly [pattern: string, name: string])[] = [
  ['0.x.1.0.x.255', 'clock'],
  ['0.x.10.0.x.255', 'script table'],
  ['0.x.11.0.x.255', 'special days table'],
  ['0.x.13.0.x.255', 'activity calendar'],
  ['0.x.15.x.x.255', 'single action schedule'],
  ['0.x.20.0.x.255', 'IEC local port setup'],
  ['0.x.21.0.x.255', 'readout list'],
  ['0.x.22.0.0.255', 'IEC HDLC setup'],
  ['0.x.24.1.x.255', 'M-Bus client'],
  ['0.x.24.2.x.255', 'M-Bus client value'],
  ['0.x.25.0.0.255', 'TCP-UDP setup'],
  ['0.x.25.1.0.255', 'IPv4 setup'],
  ['0.x.25.4.0.255', 'GPRS modem setup'],
  ['0.x.25.6.0.255', 'GSM diagnostic'],
  ['0.x.25.9.x.255', 'push setup'],
  ['0.0.40.0.x.255', 'association'],
  ['0.0.41.0.0.255', 'SAP assignment'],
  ['0.0.42.0.0.255', 'COSEM logical device name'],
  ['0.0.43.0.x.255', 'security setup'],
  ['0.0.43.1.x.255', 'invocation counter'],
  ['0.x.44.0.x.255', 'image transfer'],
  ['0.x.96.1.x.255', 'device ID'],
  ['0.x.96.2.0.255', 'number of configuration changes'],
  ['0.x.96.3.10.255', 'disconnect control'],
  ['0.x.96.5.x.255', 'internal operating status'],
  ['0.x.96.6.x.255', 'battery'],
  ['0.x.96.7.x.255', 'power failure monitoring'],
  ['0.x.96.8.x.255', 'operating time'],
  ['0.x.96.10.x.255', 'status register'],
  ['0.x.96.11.x.255', 'event code'],
  ['0.x.96.13.x.255', 'consumer message'],
  ['0.x.96.14.x.255', 'currently active tariff'],
  ['0.x.96.15.x.255', 'event counter'],
  ['0.x.97.97.x.255', 'error register'],
  ['0.x.97.98.x.255', 'alarm register'],
  ['0.x.98.1.x.x', 'billing profile'],
  ['0.x.99.98.x.255', 'event log'],
  ['1.x.0.0.x.255', 'electricity ID'],
  ['1.x.0.2.x.255', 'firmware version'],
  ['1.x.0.3.x.255', 'meter constant'],
  ['1.x.0.4.x.255', 'transformer ratio'],
  ['1.x.0.8.x.255', 'measurement or recording period'],
  ['1.x.0.9.x.255', 'time or date of the meter'],
  ['1.x.94.7.x.255', 'country-specific object'],
  ['1.x.98.1.x.x', 'billing profile'],
  ['1.x.99.1.x.255', 'load profile'],
  ['1.x.99.2.x.255', 'daily profile'],
  ['1.x.99.97.x.255', 'power failure log'],
];

/** Value group C of electricity below 20, for the sum of the phases; +20, +40 and +60 are those of L1, L2 and L3. */
const QUANTITIES: Readonly<Record<number, string>> = {
  1: 'active, import',
  2: 'active, export',
  3: 'reactive, import',
  4: 'reactive, export',
  5: 'reactive, quadrant I',
  6: 'reactive, quadrant II',
  7: 'reactive, quadrant III',
  8: 'reactive, quadrant IV',
  9: 'apparent, import',
  10: 'apparent, export',
  11: 'current',
  12: 'voltage',
  13: 'power factor',
  14: 'frequency',
  15: 'active, absolute',
  16: 'active, net',
};
const PHASES = ['', ' L1', ' L2', ' L3'] as const;
const QUANTITIES_OF_A_PHASE = 20;
const NEUTRAL_CURRENT = 91;

/** Value group D. */
const PROCESSING: Readonly<Record<number, string>> = {
  4: 'current average',
  5: 'last average',
  6: 'maximum',
  7: 'instantaneous',
  8: 'energy',
  9: 'energy of the period',
  24: 'average',
  25: 'last average',
  29: 'energy of the interval',
};
const FIRST_TARIFF = 1;
const LAST_TARIFF = 63;

/** What a dotted OBIS code names; null when the tables do not know. */
export function obisName(obis: string): string | null {
  const groups = obis.split('.');
  const fits = (pattern: string): boolean =>
    pattern.split('.').every((part, index) => part === 'x' || part === groups[index]);
  const known = ABSTRACT.find(([pattern]) => fits(pattern));
  return known?.[1] ?? quantityName(groups.map(Number));
}

function quantityName([a, , c = 0, d = 0, e = 0]: readonly number[]): string | null {
  if (a !== 1) return null;
  const phase = Math.floor(c / QUANTITIES_OF_A_PHASE);
  const quantity =
    c === NEUTRAL_CURRENT ? 'current in the neutral' : `${QUANTITIES[c % QUANTITIES_OF_A_PHASE]}${PHASES[phase]}`;
  const isKnown = c === NEUTRAL_CURRENT || (c % QUANTITIES_OF_A_PHASE in QUANTITIES && phase < PHASES.length);
  const processing = PROCESSING[d];
  if (!isKnown || processing === undefined) return null;
  const tariff = e >= FIRST_TARIFF && e <= LAST_TARIFF && d !== 7 ? `, tariff ${e}` : '';
  return `${quantity}, ${processing}${tariff}`;
}
