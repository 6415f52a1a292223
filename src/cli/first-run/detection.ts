/** Finding out how an unknown meter wants to be talked to: what `detect` and the wizard of `init` try, and what it showed. */
import { asBridgeError, type BridgeError, type ErrorCode } from '../../core/errors.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import { DEFAULT_METER_SETTINGS, type MeterSettings, NO_SECRETS } from '../../dlms/settings.ts';
import { readAttributes } from '../../meter/client.ts';
import {
  alternativeTo,
  type Candidate,
  candidatesOn,
  type Finding,
  findingOf,
  linksOf,
  wantedAuthentication,
} from '../../meter/detect.ts';
import { knowledgeOf } from '../../meter/knowledge.ts';
import { DEFAULT_LINE_SETTINGS } from '../../transport/line-settings.ts';
import type { LinkAddress } from '../../transport/link-address.ts';
import type { Context } from '../context.ts';
import { withMeter } from '../meter/one-meter.ts';

const LOGICAL_DEVICE_NAME = { classId: 1, instanceId: '0.0.42.0.0.255', attributeId: 2 } as const;

export interface Attempt {
  readonly link: string;
  readonly client: number;
  readonly server: number;
  readonly physical: number | null;
  readonly addressSize: MeterSettings['addressSize'];
  readonly referencing: MeterSettings['referencing'];
  readonly finding: Finding;
  readonly logicalDeviceName: string | null;
  /** What the meter seems to want, where it refused. */
  readonly wants: string | null;
  readonly code: ErrorCode | null;
}

export interface DetectOptions {
  /** How long to wait for each answer. */
  readonly timeoutMs: number;
  /** Goes on after the first way that works. */
  readonly all: boolean;
}

/** All attempts, in their order. Says on stderr what it tries. Throws INTERRUPTED. */
export async function detectMeter(
  context: Context,
  link: LinkAddress,
  { timeoutMs, all }: DetectOptions,
): Promise<readonly Attempt[]> {
  const tried: Attempt[] = [];
  for (const address of linksOf(link)) {
    for (const candidate of candidatesOn(address)) {
      const attempts = await tryAt(context, candidate, timeoutMs);
      tried.push(...attempts);
      const attempt = attempts.at(-1)!;
      // Nobody is on this line at all: its addresses need not be gone through.
      if (attempt.code?.startsWith('LINE_') || attempt.code?.startsWith('SERIAL_')) break;
      if (attempt.finding === 'open' && !all) return tried;
    }
  }
  return tried;
}

/** One attempt, or two where the first one hints at another kind of names. */
async function tryAt(context: Context, candidate: Candidate, timeoutMs: number): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for (let next: Candidate | null = candidate; next !== null; ) {
    if (!context.json) process.stderr.write(`trying ${next.address.text} ${placeFlags(next.settings)}\n`);
    const attempt = await tryOne(context, next, timeoutMs);
    attempts.push(attempt);
    next = alternativeTo(next, attempt.code);
  }
  return attempts;
}

async function tryOne(context: Context, { address, settings }: Candidate, timeoutMs: number): Promise<Attempt> {
  const { client, server, physical, addressSize, referencing } = settings;
  const place = { link: address.text, client, server, physical, addressSize, referencing };
  const meter = {
    name: address.text,
    address,
    lineSettings: DEFAULT_LINE_SETTINGS,
    settings: { ...DEFAULT_METER_SETTINGS, ...settings, timeoutMs },
    secrets: NO_SECRETS,
    knowledge: knowledgeOf(new Map()),
  };
  try {
    const [result] = await withMeter(context, meter, (session) => readAttributes(session, [LOGICAL_DEVICE_NAME]));
    const name = result !== undefined && 'data' in result ? String(cosemValue(result.data)) : null;
    return { ...place, finding: 'open', logicalDeviceName: name, wants: null, code: null };
  } catch (thrown) {
    const error: BridgeError = asBridgeError(thrown);
    if (error.code === 'INTERRUPTED') throw error;
    const finding = findingOf(error);
    const wants = finding === 'refused' ? wantedAuthentication(error) : null;
    return { ...place, finding, logicalDeviceName: null, wants, code: error.code };
  }
}

/** For people: the command for each way on which a meter answered. */
export function detectionText(tried: readonly Attempt[]): string {
  const found = tried.filter(({ finding }) => finding !== 'nothing');
  if (found.length === 0) return `Nothing answered in DLMS; ${tried.length} ways were tried.`;
  return found
    .map((attempt) => {
      const way = `dlms read ${attempt.link} ${placeFlags(attempt)}`;
      return attempt.finding === 'open'
        ? `${way}\n  opens without a secret${attempt.logicalDeviceName === null ? '' : `: ${attempt.logicalDeviceName}`}`
        : `${way}\n  a meter is there, and wants ${attempt.wants} (${attempt.code})`;
    })
    .join('\n');
}

/** The flags that name a meter at this place. */
export function placeFlags({ client, server, physical, addressSize, referencing }: Candidate['settings']): string {
  const parts = [`--client ${client}`, `--server ${server}`];
  if (physical !== null) parts.push(`--physical ${physical}`);
  if (addressSize !== null) parts.push(`--address-size ${addressSize}`);
  if (referencing !== 'ln') parts.push(`--referencing ${referencing}`);
  return parts.join(' ');
}
