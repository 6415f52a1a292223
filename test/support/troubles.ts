/** What can be wrong with a meter, its line or what was configured for it, and how the program names each. */
import type { Bench } from './cli.ts';
import { freePort } from './free-port.ts';
import { ownMeters, PASSWORD } from './scene.ts';
import { answeringPort, HDLC_UA, WRAPPED_AARE } from './strange-meters.ts';

export interface Trouble {
  readonly what: string;
  /** The link of a meter that misbehaves so. */
  readonly link: (bench: Bench) => Promise<string>;
  readonly flags?: readonly string[];
  readonly code: string | RegExp;
  readonly fault: string;
}

const virtual =
  (options: Parameters<typeof ownMeters>[1]) =>
  async (bench: Bench): Promise<string> =>
    (await ownMeters(bench, options)).links[0] ?? '';
const withPassword = { auth: 'low', password: PASSWORD } as const;
const quick = ['--timeout', '300'];

export const TROUBLES: readonly Trouble[] = [
  {
    what: 'a wrong password',
    link: virtual(withPassword),
    flags: ['--client', '17', '--auth', 'low', '--secret', 'wrong'],
    code: 'AUTHENTICATION_FAILED',
    fault: 'credentials',
  },
  {
    what: 'a wrong password over HDLC',
    link: virtual({ ...withPassword, framing: 'hdlc' }),
    flags: ['--client', '17', '--auth', 'low', '--secret', 'wrong'],
    code: 'AUTHENTICATION_FAILED',
    fault: 'credentials',
  },
  {
    what: 'no password',
    link: virtual(withPassword),
    flags: ['--client', '17'],
    code: 'AUTHENTICATION_REQUIRED',
    fault: 'credentials',
  },
  {
    what: 'a wrong address',
    link: virtual({}),
    flags: [...quick, '--server', '99'],
    code: 'METER_TIMEOUT',
    fault: 'meter',
  },
  {
    what: 'a wrong address over HDLC',
    link: virtual({ framing: 'hdlc' }),
    flags: [...quick, '--physical', '99'],
    code: 'METER_TIMEOUT',
    fault: 'meter',
  },
  {
    what: 'an answer from another address',
    link: virtual({ framing: 'hdlc', faults: ['wrong-address:1'] }),
    flags: quick,
    code: 'WRONG_ADDRESS',
    fault: 'config',
  },
  {
    what: 'an answer from another wPort',
    link: virtual({ faults: ['wrong-address:1'] }),
    flags: quick,
    code: 'WRONG_ADDRESS',
    fault: 'config',
  },
  {
    what: 'a wrong port',
    link: async () => `tcp://127.0.0.1:${await freePort()}`,
    code: 'LINE_REFUSED',
    fault: 'line',
  },
  {
    what: 'a meter that never answers',
    link: virtual({ faults: ['silent'] }),
    flags: quick,
    code: 'METER_TIMEOUT',
    fault: 'meter',
  },
  {
    what: 'one that never answers over HDLC',
    link: virtual({ framing: 'hdlc', faults: ['silent'] }),
    flags: quick,
    code: 'METER_TIMEOUT',
    fault: 'meter',
  },
  {
    what: 'one that answers garbage',
    link: virtual({ faults: ['garbage'] }),
    flags: quick,
    code: 'METER_GARBAGE',
    fault: 'line',
  },
  {
    what: 'one that answers garbage over HDLC',
    link: virtual({ framing: 'hdlc', faults: ['garbage'] }),
    flags: quick,
    code: 'METER_GARBAGE',
    fault: 'line',
  },
  {
    what: 'an HDLC meter on a wrapper link',
    link: async (bench) => `tcp://127.0.0.1:${await answeringPort(bench, HDLC_UA)}`,
    flags: quick,
    code: 'WRONG_FRAMING',
    fault: 'config',
  },
  {
    what: 'a wrapper meter on an HDLC link',
    link: async (bench) => `tcp+hdlc://127.0.0.1:${await answeringPort(bench, WRAPPED_AARE)}`,
    flags: quick,
    code: 'WRONG_FRAMING',
    fault: 'config',
  },
  {
    what: 'frames cut short',
    link: virtual({ faults: ['truncate:1'] }),
    flags: quick,
    code: /^(METER_TIMEOUT|METER_GARBAGE|TRUNCATED)$/,
    fault: '',
  },
  {
    what: 'frames cut short over HDLC',
    link: virtual({ framing: 'hdlc', faults: ['truncate:1'] }),
    flags: quick,
    code: /^(METER_TIMEOUT|METER_GARBAGE|TRUNCATED)$/,
    fault: '',
  },
  {
    what: 'check sequences that are wrong',
    link: virtual({ framing: 'hdlc', faults: ['corrupt-crc:1'] }),
    flags: quick,
    code: /^(CHECKSUM_WRONG|METER_GARBAGE)$/,
    fault: 'line',
  },
  {
    what: 'a connection that closes at once',
    link: virtual({ faults: ['close-after-n:1'] }),
    flags: quick,
    code: 'LINE_CLOSED',
    fault: 'line',
  },
];
