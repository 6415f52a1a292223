/** Every fault against every server: whatever happens on the way, each reading arrives as the meter said it. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { mosquittoInstalled } from '../support/mosquitto.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { FAULTS } from './faults.ts';
import { OneServer } from './scene.ts';
import { SERVERS } from './servers.ts';

const hasMosquitto = mosquittoInstalled();

describe.each(SERVERS)('$name', (kind) => {
  describe.skipIf(kind.isMosquitto && !hasMosquitto)('lost 0, wrong 0', () => {
    test.for(FAULTS)('$name', async ({ strike, needsSmallDisk = false }, { onTestFinished, skip }) => {
      const bench = newBench(onTestFinished);
      const atEnd = (undo: () => void): void => bench.atEnd(undo);
      if (needsSmallDisk && !mountSmallDisk(bench.directory, 24, atEnd)) skip('mounting a tmpfs is not permitted here');
      const under = await OneServer.begin(bench, kind);
      await under.scene.pass(20_000);
      expect(under.sessions).toBe(1);
      await strike(under);
      await under.scene.nothingLost(20);
    });
  });
});
