/** `image METER FILE`: carries an image (firmware) to a meter, has it verified, and activates it if that is wanted. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { BridgeError, fail } from '../../core/errors.ts';
import { DEFAULT_IMAGE_OBJECT, IMAGE_TRANSFER } from '../../dlms/cosem/image-transfer.ts';
import { type ImageOutcome, type ImageProgress, transferImage } from '../../meter/image-transfer.ts';
import { parsePoint } from '../../reading/point-text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../flags/meter-flags.ts';
import { parseSecret } from '../flags/values.ts';
import { namedMeter, withMeter } from '../meter/one-meter.ts';

interface ImageFlags {
  readonly identifier?: string;
  readonly object: string;
  readonly activate?: boolean;
  readonly resume?: boolean;
}

export function registerImage(program: Command): void {
  addMeterFlags(program.command('image <meter> <file>').description('transfer an image (firmware), and verify it'))
    .option('--identifier <text>', 'what the manufacturer calls the image: TEXT or hex:..; without it the file name')
    .option('--object <obis>', 'logical name of the image transfer object', DEFAULT_IMAGE_OBJECT)
    .option('--activate', 'activate it once it is verified')
    .option('--resume', 'go on with a transfer of the same image that broke off')
    .action(verb(image));
}

/** Progress on a terminal is a line that is written over, elsewhere a line for each step. */
const PROGRESS_EVERY_MS = 250;

async function image(context: Context, command: Command): Promise<undefined> {
  const [name = '', file = ''] = command.args;
  const flags = command.opts<ImageFlags>();
  const octets = contentsOf(file);
  const identifier = identifierOf(flags.identifier ?? basename(file));
  const obis = objectOf(flags.object);
  const meter = namedMeter(context, name, command.opts());
  const began = systemClock.monotonic();
  const onProgress = progressTo(process.stderr);
  const outcome = await withMeter(context, meter, (session) =>
    transferImage(session, {
      obis,
      image: octets,
      identifier,
      activate: flags.activate === true,
      resume: flags.resume === true,
      clock: systemClock,
      signal: context.signal,
      onProgress,
    }),
  );
  const durationMs = Math.round(systemClock.monotonic() - began);
  context.print({ meter: name, file, size: octets.length, ...outcome, durationMs }, () => text(name, outcome));
  return undefined;
}

function contentsOf(file: string): Uint8Array {
  try {
    const octets = readFileSync(file);
    return octets.length > 0 ? octets : fail('INVALID_VALUE', `${file} is empty`);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError('INVALID_VALUE', `${file} cannot be read`, { cause });
  }
}

/** The class allows 64 octets. */
const LONGEST_IDENTIFIER = 64;

function identifierOf(text: string): Uint8Array {
  const octets = text.startsWith('hex:') ? parseSecret(text) : new TextEncoder().encode(text);
  if (octets.length < 1 || octets.length > LONGEST_IDENTIFIER) {
    return fail('INVALID_VALUE', `an identifier has 1 to ${LONGEST_IDENTIFIER} octets, this one has ${octets.length}`);
  }
  return octets;
}

function objectOf(text: string): string {
  const { classId, obis } = parsePoint(text);
  if (classId !== null && classId !== IMAGE_TRANSFER) fail('INVALID_POINT', `"${text}": image transfer is class 18`);
  return obis;
}

function progressTo(stream: NodeJS.WriteStream): (progress: ImageProgress) => void {
  const isTerminal = stream.isTTY === true;
  let [lastStep, lastAt] = ['', 0];
  return ({ step, done, blocks }) => {
    const now = systemClock.monotonic();
    const isNews = step !== lastStep;
    if (!isNews && (!isTerminal || now - lastAt < PROGRESS_EVERY_MS)) return;
    [lastStep, lastAt] = [step, now];
    const line = step === 'transfer' ? `transfer: block ${done} of ${blocks}` : step;
    stream.write(isTerminal ? `\r\x1b[K${line}${step === 'done' ? '\n' : ''}` : `${line}\n`);
  };
}

function text(name: string, { status, sent, blocks, resumedFrom }: ImageOutcome): string {
  const words = {
    verified: 'has verified the image; it is not active yet (--activate --resume)',
    activated: 'runs the image',
    restarting: 'was told to activate the image, and restarts',
  } as const;
  const how = resumedFrom === null ? '' : `, resumed from block ${resumedFrom}`;
  return `${name} ${words[status]}. ${sent} of ${blocks} blocks sent${how}.`;
}
