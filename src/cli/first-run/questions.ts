/** Questions to somebody at a terminal: asked on stderr, and asked again until the answer can be. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { asBridgeError } from '../../core/errors.ts';
import { printError } from '../context.ts';

export interface Question<T> {
  readonly text: string;
  /** What an answer means. A throw that is a mistake of whom is asked has the question asked again. */
  parse(answer: string): T;
  /** What is typed does not show. */
  readonly hidden?: boolean;
}

/** Throws what is no mistake of the answer; an AbortError for Ctrl-C, Ctrl-D and the signal. */
export async function ask<T>(question: Question<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const answer = await answerTo(question, signal);
    try {
      return question.parse(answer.trim());
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.fault !== 'config') throw error;
      printError(error.report(), false);
    }
  }
}

/** Yes or no, yes for an empty answer. */
export function confirms(text: string, signal: AbortSignal): Promise<boolean> {
  return ask({ text: `${text} [Y/n]: `, parse: (answer) => answer === '' || /^y/i.test(answer) }, signal);
}

/** Each with an interface of its own: in between, Ctrl-C is a signal, to what runs then. */
async function answerTo({ text, hidden = false }: Question<unknown>, signal: AbortSignal): Promise<string> {
  let shows = true;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (shows) process.stderr.write(chunk);
      done();
    },
  });
  const prompt = createInterface({ input: process.stdin, output, terminal: true });
  try {
    const answer = prompt.question(text, { signal });
    shows = !hidden;
    return await answer;
  } finally {
    prompt.close();
    if (hidden) process.stderr.write('\n');
  }
}
