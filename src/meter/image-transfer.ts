/**
 * Carries an image (firmware) to a meter, by the plan of `dlms/cosem/image-transfer.ts`: asks what the meter has, does the
 * next step, and asks again. Blocks that got lost are sent again; a meter that needs time to verify is given it.
 */
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import {
  blockData,
  blocksOf,
  canResume,
  IMAGE_ATTRIBUTE,
  IMAGE_METHOD,
  IMAGE_STATUS,
  IMAGE_TRANSFER,
  type ImageStep,
  type ImageView,
  initiateData,
  nextImageStep,
  parseImageView,
} from '../dlms/cosem/image-transfer.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { callMethod, writeAttribute } from './changes.ts';
import { readAttributes } from './client.ts';
import type { MeterSession } from './session.ts';

export interface ImageOptions {
  /** Logical name of the image transfer object. */
  readonly obis: string;
  readonly image: Uint8Array;
  /** As the manufacturer names the image. */
  readonly identifier: Uint8Array;
  readonly activate: boolean;
  /** Go on with what the meter has, if it has something: it must be of the same image. */
  readonly resume: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImageProgress) => void;
}

export interface ImageProgress {
  readonly step: ImageStep['kind'];
  /** Blocks that the meter has, and all of them. */
  readonly done: number;
  readonly blocks: number;
}

export interface ImageOutcome {
  readonly blocks: number;
  readonly blockSize: number;
  /** Blocks sent in this run; more than were missing when some got lost. */
  readonly sent: number;
  /** The block that a transfer was taken up again with; null for one from the beginning. */
  readonly resumedFrom: number | null;
  /** The meter restarted before it told that the image is active. */
  readonly status: 'verified' | 'activated' | 'restarting';
}

/** Rounds over missing blocks in which the meter got none more. */
const FRUITLESS_ROUNDS = 3;
/** How often, and for how long, a meter is asked that is busy verifying or activating. */
const PAUSE_MS = 1000;
const LONGEST_WAIT_MS = 600_000;
const NOTHING_NEEDED: Data = { type: 'integer', value: 0 };

/**
 * Throws IMAGE_TRANSFER_FAILED when the meter does not take it, IMAGE_REJECTED when it finds it wrong, DATA_ACCESS_*, and
 * what ends the session; then `resume` goes on with what the meter has.
 */
export async function transferImage(session: MeterSession, options: ImageOptions): Promise<ImageOutcome> {
  return new ImageTransfer(session, options).run();
}

class ImageTransfer {
  private readonly session: MeterSession;
  private readonly options: ImageOptions;
  private sent = 0;
  private resumedFrom: number | null = null;

  constructor(session: MeterSession, options: ImageOptions) {
    this.session = session;
    this.options = options;
  }

  async run(): Promise<ImageOutcome> {
    const { resume, activate, image } = this.options;
    let view = await this.look();
    let isOurs = resume && canResume(view);
    if (isOurs) this.resumedFrom = view.firstMissing;
    for (let fruitless = 0; fruitless < FRUITLESS_ROUNDS; ) {
      const blocks = blocksOf(image.length, view.blockSize);
      const step = nextImageStep(view, { blocks, isOurs, activate });
      this.report(step, view, blocks);
      if (step.kind === 'done') return this.outcome(view.blockSize, blocks, activate ? 'activated' : 'verified');
      const status = await this.take(step, view);
      if (status === 'restarting') return this.outcome(view.blockSize, blocks, status);
      isOurs ||= step.kind === 'initiate';
      const before = view;
      view = await this.look();
      fruitless = hasAdvanced(before, view) ? 0 : fruitless + 1;
    }
    return fail('IMAGE_TRANSFER_FAILED', `the meter does not get on: ${statusText(view)}`, { layer: 'meter' });
  }

  private outcome(blockSize: number, blocks: number, status: ImageOutcome['status']): ImageOutcome {
    return { blocks, blockSize, sent: this.sent, resumedFrom: this.resumedFrom, status };
  }

  private report({ kind }: ImageStep, view: ImageView, blocks: number): void {
    this.options.onProgress({ step: kind, done: Math.min(view.firstMissing, blocks), blocks });
  }

  private async take(step: ImageStep, view: ImageView): Promise<'done' | 'restarting'> {
    const { obis, identifier, image } = this.options;
    switch (step.kind) {
      case 'enable': {
        const enabled = { classId: IMAGE_TRANSFER, instanceId: obis, attributeId: IMAGE_ATTRIBUTE.enabled };
        await writeAttribute(this.session, enabled, { type: 'boolean', value: true });
        return 'done';
      }
      case 'initiate':
        await this.call(IMAGE_METHOD.initiate, initiateData(identifier, image.length));
        return 'done';
      case 'transfer':
        await this.sendBlocks(step.blocks, view);
        return 'done';
      case 'verify':
        await this.await(IMAGE_METHOD.verify, IMAGE_STATUS.verified, IMAGE_STATUS.verificationFailed);
        return 'done';
      case 'activate':
        return this.activate();
      case 'done':
        return 'done';
    }
  }

  private async sendBlocks(numbers: readonly number[], { blockSize }: ImageView): Promise<void> {
    const { image, signal, onProgress } = this.options;
    const blocks = blocksOf(image.length, blockSize);
    for (const number of numbers) {
      signal.throwIfAborted();
      await this.sendBlock(blockData(image, number, blockSize));
      this.sent += 1;
      onProgress({ step: 'transfer', done: number + 1, blocks });
    }
  }

  /** A block that the meter cannot take just now is missing in the next round. */
  private async sendBlock(block: Data): Promise<void> {
    try {
      await this.call(IMAGE_METHOD.transferBlock, block);
    } catch (thrown) {
      if (asBridgeError(thrown).code !== 'DATA_ACCESS_TEMPORARY_FAILURE') throw thrown;
    }
  }

  /** A meter may restart at once, and be silent meanwhile. */
  private async activate(): Promise<'done' | 'restarting'> {
    try {
      await this.await(IMAGE_METHOD.activate, IMAGE_STATUS.activated, IMAGE_STATUS.activationFailed);
      return 'done';
    } catch (thrown) {
      if (asBridgeError(thrown).code === 'IMAGE_REJECTED' || this.session.isAssociated) throw thrown;
      return 'restarting';
    }
  }

  /** Calls until the meter is done with it: while it answers temporary-failure it is still at it, or has not begun. */
  private async await(method: number, good: number, bad: number): Promise<void> {
    const { clock, signal } = this.options;
    const until = clock.monotonic() + LONGEST_WAIT_MS;
    let isCalled = false;
    while (clock.monotonic() < until) {
      const refusal: BridgeError | null = isCalled ? null : await this.attempt(method);
      if (refusal !== null && !this.session.isAssociated) throw refusal;
      const view = await this.look();
      if (view.status === good) return;
      // A refusal of the method may say just that; the status tells.
      if (view.status === bad) {
        fail('IMAGE_REJECTED', `the meter says of the image: ${statusText(view)}`, { layer: 'meter' });
      }
      if (refusal !== null && refusal.code !== 'DATA_ACCESS_TEMPORARY_FAILURE') throw refusal;
      isCalled ||= refusal === null;
      if (view.status === IMAGE_STATUS.verifying || view.status === IMAGE_STATUS.activating) isCalled = true;
      await sleep(clock, PAUSE_MS, signal);
    }
    fail('IMAGE_TRANSFER_FAILED', `the meter was not done with it after ${LONGEST_WAIT_MS / 60_000} min`, {
      layer: 'meter',
    });
  }

  /** The error that the call met with, null for none. */
  private async attempt(method: number): Promise<BridgeError | null> {
    try {
      await this.call(method, NOTHING_NEEDED);
      return null;
    } catch (thrown) {
      return asBridgeError(thrown);
    }
  }

  private async call(methodId: number, parameters: Data): Promise<void> {
    await callMethod(this.session, { classId: IMAGE_TRANSFER, instanceId: this.options.obis, methodId }, parameters);
  }

  private async look(): Promise<ImageView> {
    const { blockSize, transferredBlocks, firstMissing, enabled, status } = IMAGE_ATTRIBUTE;
    const answers = await readAttributes(
      this.session,
      [blockSize, transferredBlocks, firstMissing, enabled, status].map((attributeId) => ({
        classId: IMAGE_TRANSFER,
        instanceId: this.options.obis,
        attributeId,
      })),
    );
    return parseImageView(answers.map((answer) => ('data' in answer ? answer.data : null)));
  }
}

function hasAdvanced(before: ImageView, after: ImageView): boolean {
  return after.enabled !== before.enabled || after.status !== before.status || after.firstMissing > before.firstMissing;
}

function statusText({ status, firstMissing, enabled }: ImageView): string {
  const name = Object.entries(IMAGE_STATUS).find(([, code]) => code === status)?.[0] ?? String(status);
  return `status ${name}, first missing block ${firstMissing}${enabled ? '' : ', transfer not enabled'}`;
}
