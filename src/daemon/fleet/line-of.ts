/** Makes what works a line: one that we open, or one on which the meters call. */
import type { Admission } from '../../line/admission.ts';
import type { DeviceManager } from '../../line/device-manager.ts';
import { ListenLine } from '../../line/listen-line.ts';
import { LineWorker } from '../../line/worker.ts';
import type { MeterLine } from '../../line/worker-types.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Line } from '../../store/fleet/types.ts';
import { framingOf, isNetwork, listens, parseLink, signsOn, transportOf } from '../../transport/link-address.ts';

export interface LineDependencies {
  readonly clock: Clock;
  readonly devices: DeviceManager;
  readonly admission: Admission;
  readonly log: Logger;
}

/** Throws INVALID_LINK, UNSUPPORTED. */
export function lineOf(
  { id, link, settings }: Line,
  { clock, devices, admission, log: daemonLog }: LineDependencies,
): MeterLine {
  const address = parseLink(link);
  const log = daemonLog.child({ room: 'line', line: link });
  if (listens(address)) return new ListenLine({ address, id, settings, devices, clock, log });
  return new LineWorker({
    transport: transportOf(address, clock, settings),
    framing: framingOf(address),
    signsOn: signsOn(address),
    network: isNetwork(address),
    ...(address.kind === 'tcp' ? { admit: () => admission.admit(address.host) } : {}),
    id,
    name: link,
    devices,
    idleCloseMs: settings.idleCloseMs,
    keepAliveMs: settings.keepAliveMs,
    clock,
    log,
  });
}
