import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, test } from 'vitest';
import { DEVICE_ID, TortureFleet, until } from '../torture/fleet.ts';

const MAIN = join(import.meta.dirname, '../new-command/main.ts');
const generate = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

describe('npm run new:command', () => {
  test.each([
    ['a command', [], 'commands', 'greet/run.test.mjs'],
    ['a command in TypeScript', ['--typescript'], 'modules', 'greet.test.ts'],
  ])(
    'when %s is made, its own test passes, and a device with that folder carries it out',
    async (_, flags, folderName, itsTest) => {
      const fleet = await TortureFleet.start({
        limits: true,
        executor: (folder) => {
          const into = join(folder, folderName);
          expect(generate('greet', '--into', into, ...flags)).toMatchObject({ status: 0, stderr: '' });
          const policyFile = join(folder, 'policy.json');
          writeFileSync(policyFile, '{"commands":{"greet":{}}}', { mode: 0o600 });
          const folders = {
            commandsFolder: join(folder, 'commands'),
            modulesFolder: join(folder, 'modules'),
          };
          return { ...folders, policyFile, programUser: userInfo().username };
        },
      });
      try {
        const own = join(fleet.folder, folderName, itsTest);
        expect(spawnSync(process.execPath, ['--test', own], { encoding: 'utf8' })).toMatchObject({
          status: 0,
        });
        const orderId = uuidv7();
        const payload = { name: 'greet', params: { who: 'world' } };
        await fleet.api.give(DEVICE_ID, { orderId, type: 'command', payload });
        await until(async () => (await fleet.api.order(orderId)).status === 'succeeded', 'the greeting');
        expect((await fleet.api.order(orderId)).result).toEqual({ greeting: 'Hello, world' });
      } finally {
        await fleet.end({ keepFolder: false });
      }
    },
  );

  test('when the name is none or is taken, nothing is made and the reason is told', () => {
    const into = temporaryFolder();
    expect(generate('../evil', '--into', into)).toMatchObject({ status: 2 });
    expect(existsSync(join(into, '..', 'evil'))).toBe(false);
    expect(generate('a', '--into', into).status).toBe(0);
    const again = generate('a', '--into', into);
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('is there already')]);
    expect(generate('--into', into).stderr).toContain('Which command?');
    expect(generate('reboot', '--into', into).stderr).toMatch(/^reboot comes with Bowline: /);
    expect(existsSync(join(into, 'reboot'))).toBe(false);
    for (const bad of [
      ['b', '--int', into],
      ['b', '--into'],
    ]) {
      const { status, stderr } = generate(...bad);
      expect([status, stderr]).toEqual([2, expect.stringContaining('npm run new:command NAME')]);
      expect(stderr).not.toContain('at parseArgs');
    }
  });
});
