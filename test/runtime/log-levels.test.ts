import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { LOG_LEVELS, LogLevels, readLevels } from '../../src/runtime/log-levels.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const directory = mkdtempSync(join(tmpdir(), 'levels-'));
afterAll(() => rmSync(directory, { recursive: true }));

function fileOf(text: string): string {
  const path = join(directory, 'levels');
  writeFileSync(path, text);
  return path;
}

describe('the file of levels', () => {
  test('one for all and one for a room, with comments', () => {
    const path = fileOf('# what we look for\nwarn\n\nthingsboard = debug # today\n');
    expect(readLevels(path)).toEqual({ general: 'warn', rooms: { thingsboard: 'debug' } });
  });

  test('a file that is not there sets nothing', () => {
    expect(readLevels(join(directory, 'none'))).toEqual({ general: null, rooms: {} });
  });

  test.each(['loud', 'thingsboard=loud', 'kitchen=debug', 'a=b=c'])('"%s" is refused with its line', (line) => {
    expect(() => readLevels(fileOf(`info\n${line}`))).toThrow(/line 2/);
  });
});

describe('levels that change', () => {
  test('every logger there is follows at once, each room by itself', () => {
    const lines: string[] = [];
    const levels = new LogLevels('info');
    const log = createLogger({
      level: levels,
      destination: { write: (line) => void lines.push(line) },
      journal: false,
    });
    const room = log.child({ room: 'thingsboard' }).child({ connection: 1 });
    const said = (): string[] => {
      lines.length = 0;
      log.debug({}, 'all');
      room.debug({}, 'room');
      return lines.map((line) => JSON.parse(line).msg);
    };
    expect(said()).toEqual([]);
    levels.change({ general: null, rooms: { thingsboard: 'debug' } });
    expect(said()).toEqual(['room']);
    levels.change({ general: 'debug', rooms: { thingsboard: 'warn' } });
    expect(said()).toEqual(['all']);
    levels.change({ general: null, rooms: {} });
    expect(said()).toEqual([]);
  });

  test('a level lets through itself and what is worse', () => {
    for (const [at, level] of LOG_LEVELS.slice(0, -1).entries()) {
      const levels = new LogLevels(level);
      const passed = LOG_LEVELS.slice(0, -1).filter((one) => levels.allows(null, one));
      expect(passed).toEqual(LOG_LEVELS.slice(at, -1));
    }
    expect(LOG_LEVELS.slice(0, -1).some((one) => new LogLevels('silent').allows(null, one))).toBe(false);
  });

  test('journald gets each line with its priority', () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'trace',
      destination: { write: (line) => void lines.push(line) },
      journal: true,
    });
    log.error({}, 'e');
    log.warn({}, 'w');
    log.info({}, 'i');
    log.debug({}, 'd');
    expect(lines.map((line) => line.slice(0, 3))).toEqual(['<3>', '<4>', '<6>', '<7>']);
  });
});
