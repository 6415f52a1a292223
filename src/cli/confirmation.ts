/** A question before something that cannot be taken back: answered by --yes, or on a terminal. */
import { createInterface } from 'node:readline/promises';
import { BridgeError, fail } from '../core/errors.ts';

/** Throws USAGE where nobody can be asked and --yes is missing, INTERRUPTED when the answer is no. */
export async function confirmed(question: string, yes: boolean, signal: AbortSignal): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) fail('USAGE', `${question} Say --yes`, { hint: 'without a terminal --yes confirms' });
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new BridgeError('INTERRUPTED', 'nothing was done');
  } finally {
    prompt.close();
  }
}
