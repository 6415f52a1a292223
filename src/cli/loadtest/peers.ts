/** The virtual meters and the ThingsBoard double of a load test, as the process that forked them speaks to them. */
import { fork } from 'node:child_process';
import { BridgeError } from '../../core/errors.ts';
import type { FleetComparison } from '../demo/demo-verdict.ts';

export interface StartRequest {
  readonly kind: 'start';
  readonly meters: number;
  readonly metersPerPort: number;
  readonly token: string;
}

export type PeersRequest = StartRequest | { readonly kind: 'judge' };

export interface PeersStarted {
  readonly kind: 'started';
  /** Of the double. */
  readonly url: string;
  readonly addresses: readonly { readonly host: string; readonly port: number; readonly server: number }[];
}

export interface PeersJudged extends FleetComparison {
  readonly kind: 'judged';
  /** Distinct readings that the double has. */
  readonly published: number;
}

export type PeersAnswer = PeersStarted | PeersJudged | { readonly kind: 'failed'; readonly message: string };

export interface Peers {
  start(request: Omit<StartRequest, 'kind'>): Promise<PeersStarted>;
  /** Compares all that the meters said so far with all that the double has. */
  judge(): Promise<PeersJudged>;
  stop(): void;
}

/** The name under which the virtual meter at this place is stored. */
export function loadMeterName(index: number): string {
  return `meter${index + 1}`;
}

/** Its calls throw INTERNAL when the process fails or ends. */
export function forkPeers(): Peers {
  const child = fork(new URL('./peers-process.js', import.meta.url), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });

  const ask = <K extends PeersAnswer['kind']>(request: PeersRequest, kind: K): Promise<PeersAnswer & { kind: K }> =>
    new Promise((resolve, reject) => {
      const give = (message: string): void => reject(new BridgeError('INTERNAL', `the simulators: ${message}`));
      const onExit = (): void => give('their process ended');
      child.once('exit', onExit);
      child.once('message', (answer: PeersAnswer) => {
        child.off('exit', onExit);
        if (answer.kind === kind) resolve(answer as PeersAnswer & { kind: K });
        else give(answer.kind === 'failed' ? answer.message : `${answer.kind} where ${kind} was awaited`);
      });
      child.send(request);
    });

  return {
    start: (request) => ask({ kind: 'start', ...request }, 'started'),
    judge: () => ask({ kind: 'judge' }, 'judged'),
    stop: () => void child.kill('SIGKILL'),
  };
}
