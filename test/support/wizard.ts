/** The program with somebody at a terminal in front of it, who waits for each question and answers it. */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { type Bench, type Finished, MAIN } from './cli.ts';
import { eventually } from './eventually.ts';
import { ptyPair } from './socat.ts';

/** A piece of what is asked, and what is typed then; with a return key unless it ends in a control character. */
export type Answer = readonly [question: string, answer: string];

/** Runs a verb to its end; what it asks stands on stderr. Throws when a question does not come. */
export async function answered(bench: Bench, args: readonly string[], answers: readonly Answer[]): Promise<Finished> {
  const { a, b, unplug } = await ptyPair();
  // Of nobody's session: a controlling terminal would send its signals to the tests.
  const [keyboard, terminal] = [a, b].map((path) => openSync(path, constants.O_RDWR | constants.O_NOCTTY)) as [
    number,
    number,
  ];
  const child = spawn(process.execPath, [MAIN, '--db', bench.db, ...args], { stdio: [terminal, 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const status = new Promise<number | null>((resolve) => child.once('close', resolve));
  bench.atEnd(async () => {
    child.kill('SIGKILL');
    await status;
    for (const descriptor of [keyboard, terminal]) closeSync(descriptor);
    await unplug();
  });
  let seen = 0;
  for (const [question, answer] of answers) {
    await eventually(`it asks "${question}"`, () => {
      if (child.exitCode !== null) throw new Error(`it ended before it asked "${question}": ${stdout}${stderr}`);
      const at = stderr.indexOf(question, seen);
      if (at < 0) return null;
      seen = at + question.length;
      return true;
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a key that is typed
    writeSync(keyboard, /[\u0000-\u001f]$/.test(answer) ? answer : `${answer}\r`);
  }
  return { status: await status, stdout, stderr };
}
