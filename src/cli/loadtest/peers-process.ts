/**
 * The other side of a load test, in a process of its own so that it costs the daemon nothing: virtual meters and a
 * ThingsBoard double. Forked by `peers.ts` and spoken to by messages; when the parent goes, it goes.
 */
import { systemClock } from '../../runtime/clock.ts';
import { startVirtualMeters, type VirtualMeters } from '../../simulator/meter/fleet.ts';
import { startThingsBoardDouble, type ThingsBoardDouble } from '../../simulator/thingsboard/double.ts';
import { compareFleet } from '../demo/demo-verdict.ts';
import { loadMeterName, type PeersAnswer, type PeersRequest, type StartRequest } from './peers.ts';

interface Standing {
  readonly meters: VirtualMeters;
  readonly double: ThingsBoardDouble;
}

let standing: Standing | null = null;

async function start({ meters: count, metersPerPort, token }: StartRequest): Promise<PeersAnswer> {
  const double = await startThingsBoardDouble({ tokens: [{ token, device: 'loadtest-gateway', gateway: true }] });
  const meters = await startVirtualMeters({
    count,
    metersPerPort,
    port: 0,
    framing: 'wrapper',
    auth: 'none',
    seed: 1,
    clock: systemClock,
  });
  standing = { meters, double };
  const addresses = meters.addresses.map(({ host, port, server }) => ({ host, port, server }));
  return { kind: 'started', url: `mqtt://${double.host}:${double.port}`, addresses };
}

function judge({ meters, double }: Standing): PeersAnswer {
  const received = double.received();
  return { kind: 'judged', published: received.readings, ...compareFleet(meters.truth(), received, loadMeterName) };
}

async function answerTo(request: PeersRequest): Promise<PeersAnswer> {
  if (request.kind === 'start') return start(request);
  return standing === null ? { kind: 'failed', message: 'nothing was started' } : judge(standing);
}

process.on('message', async (request: PeersRequest) => {
  const answer = await answerTo(request).catch((error: unknown) => ({ kind: 'failed', message: String(error) }));
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());
// Ctrl-C on a terminal reaches the whole group; the parent ends this process by itself.
process.on('SIGINT', () => undefined);
