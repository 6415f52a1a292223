/** `simulate meters` and `simulate thingsboard`: the two doubles, on ports you name. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import type { DoubleToken } from '../../simulator/thingsboard/credentials.ts';
import { startThingsBoardDouble } from '../../simulator/thingsboard/double.ts';
import type { ProvisionKeys } from '../../simulator/thingsboard/provisioning.ts';
import { type Context, untilStopped, verb } from '../context.ts';
import { parseChoice, parseSecretText, parseWhole } from '../flags/values.ts';
import { registerSimulateMeters } from './simulate-meters.ts';

interface ThingsBoardFlags {
  readonly port: string;
  readonly host: string;
  readonly token?: string[];
  readonly gateway?: boolean;
  readonly protocolQuirks: string;
  readonly rate?: string;
  readonly httpPort?: string;
  readonly provision?: string;
}

export function registerSimulate(program: Command): void {
  const simulate = program
    .command('simulate')
    .description('virtual meters and a ThingsBoard double, for trying things out');
  registerSimulateMeters(simulate);
  simulate
    .command('thingsboard')
    .description('a ThingsBoard that answers like the real one and keeps what it received')
    .option('--port <port>', 'MQTT port, 0 picks a free one', '1883')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--token <token>', 'an access token to accept (repeatable)', (value: string, earlier: string[] = []) => [
      ...earlier,
      value,
    ])
    .option('--gateway', 'the tokens belong to gateways')
    .option('--protocol-quirks <age>', 'new (from 4.2.1 on) or old', 'new')
    .option('--rate <limits>', 'rate limits as in a tenant profile, CAPACITY:SECONDS,...')
    .option('--provision <key:secret>', 'devices may be made with this key and secret')
    .option('--http-port <port>', 'serve GET /received and what a tenant does there, 0 picks a free one')
    .action(verb(simulateThingsBoard));
}

async function simulateThingsBoard(context: Context, command: Command): Promise<undefined> {
  const flags = command.opts<ThingsBoardFlags>();
  const tokens = (flags.token ?? []).map(parseSecretText);
  if (tokens.length === 0 && flags.provision === undefined) fail('USAGE', 'simulate thingsboard needs --token');
  const double = await startThingsBoardDouble({
    tokens: tokens.map(
      (token, index): DoubleToken => ({
        token,
        device: deviceName(flags.gateway === true, index),
        gateway: flags.gateway === true,
      }),
    ),
    port: parseWhole('--port', flags.port, 0, 65_535),
    host: flags.host,
    httpPort: flags.httpPort === undefined ? null : parseWhole('--http-port', flags.httpPort, 0, 65_535),
    quirks: parseChoice('--protocol-quirks', flags.protocolQuirks, ['old', 'new']),
    rate: flags.rate ?? null,
    provision: flags.provision === undefined ? null : provisionKeys(flags.provision),
  });
  const { host, port, httpPort } = double;
  const url = httpPort === null ? null : `http://${host}:${httpPort}/received`;
  context.print(
    { mqtt: `mqtt://${host}:${port}`, port, received: url },
    () => `ThingsBoard double on mqtt://${host}:${port}${url === null ? '' : `, received data at ${url}`}`,
  );
  await untilStopped(context.signal);
  await double.stop();
  return undefined;
}

/** No name of a device may tell its token. */
function deviceName(gateway: boolean, index: number): string {
  return `${gateway ? 'gateway' : 'device'}-${index + 1}`;
}

function provisionKeys(text: string): ProvisionKeys {
  const [key = '', secret = ''] = text.split(':');
  return key === '' || secret === '' ? fail('USAGE', '--provision takes KEY:SECRET') : { key, secret };
}
