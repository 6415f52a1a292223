/** From the line to the first value: by ourselves, step by step; or through the daemon, judged by what it met with. */
import type { ReadDocument } from '../../command/read.ts';
import { asBridgeError, type BridgeError, errorOfReport } from '../../core/errors.ts';
import { writeJson } from '../../core/json.ts';
import type { Quirks } from '../../dlms/quirks.ts';
import { LinePort } from '../../line/port.ts';
import { readPoints } from '../../meter/points.ts';
import { MeterSession } from '../../meter/session.ts';
import type { PointAddress } from '../../reading/point-text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { framingOf, signsOn, transportOf } from '../../transport/link-address.ts';
import type { SignOnStyle } from '../../transport/transport.ts';
import type { Context } from '../context.ts';
import type { NamedMeter } from '../meter/one-meter.ts';
import { securityPorts } from '../meter/security-ports.ts';
import type { StepName, Walk } from './steps.ts';

const HLS: ReadonlySet<string> = new Set(['high', 'md5', 'sha1', 'gmac', 'sha256', 'ecdsa']);

/** Which step an error belongs to. `heard`: the meter sent something before; null when that is not known. */
export function stepOf(
  error: BridgeError,
  meter: Pick<NamedMeter, 'address' | 'settings'>,
  heard: boolean | null,
): StepName {
  const { layer, code } = error;
  if (layer === 'mode-e') return 'sign-on';
  if (layer === 'transport' || layer === 'line') return 'line';
  if (layer === 'hdlc') return 'link';
  if (code === 'AUTHENTICATION_FAILED') return HLS.has(meter.settings.authentication) ? 'hls' : 'association';
  if (layer === 'acse' || layer === 'security') return 'association';
  // Silence, garbage or another framing: over HDLC it is the SNRM that got no answer, unless something came before.
  if (layer === 'meter') return framingOf(meter.address) === 'hdlc' && heard !== true ? 'link' : 'association';
  return 'read';
}

/** What each step is here; null for one that this meter does not have. */
function wordsFor({ address, settings }: NamedMeter): (name: StepName) => string {
  const words: Partial<Record<StepName, string>> = {
    line: address.text,
    'sign-on': signsOn(address) ? 'mode E' : 'not used',
    link: framingOf(address) === 'hdlc' ? 'SNRM and UA' : 'wrapper: nothing to set up',
    association: `client ${settings.client}, server ${settings.server}, authentication ${settings.authentication}`,
    hls: HLS.has(settings.authentication) ? 'proofs exchanged' : 'not used',
  };
  return (name) => words[name] ?? '';
}

const UP_TO_HLS: readonly StepName[] = ['link', 'association', 'hls'];

/** Opens the line and the association by itself; the caller has the right to the meter. */
export async function walkMeter(context: Context, walk: Walk, meter: NamedMeter, point: PointAddress): Promise<void> {
  const { address, settings, secrets, knowledge } = meter;
  const words = wordsFor(meter);
  const port = new LinePort(transportOf(address, systemClock), () => undefined);
  const session = new MeterSession({
    settings,
    secrets,
    security: securityPorts(context.databasePath, settings, secrets),
    framing: framingOf(address),
    wire: port,
    clock: systemClock,
    log: context.log,
  });
  try {
    const opening = await attempt(() => port.ensureOpen(signOnStyle(session.quirks)));
    const opened = opening === null ? null : stepOf(opening, meter, false);
    walk.together(['line', 'sign-on'], words, opened, opening);
    const standing = walk.failure === undefined ? await attempt(() => session.ensureAssociated()) : null;
    const failed = standing === null ? null : stepOf(standing, meter, port.octetsReceived > 0);
    walk.together(UP_TO_HLS, words, failed === 'line' ? 'link' : failed, standing);
    await walk.step('read', async () => {
      const { results } = await readPoints(session, [point], knowledge);
      const [result] = results;
      if (result?.error) throw result.error;
      return `${point.obis} answered`;
    });
  } finally {
    await session.release();
    await port.close();
  }
}

function signOnStyle({ baudSwitchWait, noBaudSwitch }: Quirks): SignOnStyle {
  return { switchWaitMs: baudSwitchWait, switchBaud: !noBaudSwitch };
}

async function attempt(action: () => Promise<void>): Promise<BridgeError | null> {
  try {
    await action();
    return null;
  } catch (thrown) {
    return asBridgeError(thrown);
  }
}

/** One read through the daemon tells all of it: what failed says where. */
export async function walkThroughDaemon(
  walk: Walk,
  meter: NamedMeter,
  read: () => Promise<ReadDocument>,
): Promise<void> {
  const words = wordsFor(meter);
  const steps: readonly StepName[] = ['line', 'sign-on', ...UP_TO_HLS];
  const began = systemClock.monotonic();
  try {
    const { results } = await read();
    walk.together(steps, (name) => `${words(name)} (the daemon's)`, null, null);
    const [result] = results;
    const took = Math.round(systemClock.monotonic() - began);
    const error = result?.error ?? null;
    await walk.step('read', () => {
      if (error !== null) throw errorOfReport(error);
      return `${result?.point ?? ''} = ${writeJson(result?.value ?? null)} in ${took} ms, the daemon's turn included`;
    });
  } catch (thrown) {
    const error = asBridgeError(thrown);
    walk.together([...steps, 'read'], words, stepOf(error, meter, null), error);
  }
}
