/** `detect LINK`: finds framing, rate, addresses and the authentication that a meter wants, and says what it tried. */
import type { Command } from 'commander';
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
import { parseLink } from '../../transport/link-address.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { withMeter } from '../one-meter.ts';
import { parseWhole } from '../values.ts';

const LOGICAL_DEVICE_NAME = { classId: 1, instanceId: '0.0.42.0.0.255', attributeId: 2 } as const;

interface Attempt {
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

export function registerDetect(program: Command): void {
  program
    .command('detect <link>')
    .description('find out how an unknown meter wants to be talked to')
    .option('--timeout <ms>', 'how long to wait for each answer', '1500')
    .option('--all', 'go on after the first way that works')
    .action(verb(detect));
}

async function detect(context: Context, command: Command): Promise<number> {
  const [link = ''] = command.args;
  const flags = command.opts<{ timeout: string; all?: boolean }>();
  const timeoutMs = parseWhole('--timeout', flags.timeout, 50, 60_000);
  const tried: Attempt[] = [];
  for (const address of linksOf(parseLink(link))) {
    for (const candidate of candidatesOn(address)) {
      const attempts = await tryAt(context, candidate, timeoutMs);
      tried.push(...attempts);
      const attempt = attempts.at(-1)!;
      // Nobody is on this line at all: its addresses need not be gone through.
      if (attempt.code?.startsWith('LINE_') || attempt.code?.startsWith('SERIAL_')) break;
      if (attempt.finding === 'open' && flags.all !== true) return report(context, tried);
    }
  }
  return report(context, tried);
}

/** One attempt, or two where the first one hints at another kind of names. */
async function tryAt(context: Context, candidate: Candidate, timeoutMs: number): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for (let next: Candidate | null = candidate; next !== null; ) {
    if (!context.json) process.stderr.write(`trying ${flagsOf(next)}\n`);
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

function report(context: Context, tried: readonly Attempt[]): number {
  const found = tried.filter(({ finding }) => finding !== 'nothing');
  context.print(
    { found: found.map((attempt) => ({ ...attempt })), tried: tried.map((attempt) => ({ ...attempt })) },
    () => text(found, tried),
  );
  return found.length > 0 ? EXIT.done : EXIT.failed;
}

function text(found: readonly Attempt[], tried: readonly Attempt[]): string {
  if (found.length === 0) return `Nothing answered in DLMS; ${tried.length} ways were tried.`;
  return found
    .map((attempt) => {
      const way = `dlms read ${attempt.link} ${attemptFlags(attempt)}`;
      return attempt.finding === 'open'
        ? `${way}\n  opens without a secret${attempt.logicalDeviceName === null ? '' : `: ${attempt.logicalDeviceName}`}`
        : `${way}\n  a meter is there, and wants ${attempt.wants} (${attempt.code})`;
    })
    .join('\n');
}

function flagsOf({ address, settings }: Candidate): string {
  return `${address.text} ${attemptFlags(settings)}`;
}

function attemptFlags({ client, server, physical, addressSize, referencing }: Candidate['settings']): string {
  const parts = [`--client ${client}`, `--server ${server}`];
  if (physical !== null) parts.push(`--physical ${physical}`);
  if (addressSize !== null) parts.push(`--address-size ${addressSize}`);
  if (referencing !== 'ln') parts.push(`--referencing ${referencing}`);
  return parts.join(' ');
}
