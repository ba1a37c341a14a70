import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { auditLines, markOf } from './testing/audit-lines.ts';
import { bowline } from './testing/run-bowline.ts';

const LINES = auditLines([
  ['ssh.started', { sessionId: 's1', user: 'support', by: 'ada', signer: 'k1', reason: 'the valve' }],
  ['ssh.stream', { sessionId: 's1', user: 'support', stream: '1', operator: 'admin' }],
  ['ssh.ended', { sessionId: 's1', end: 'expired', survivors: '0', user: 'support', by: 'ada' }],
]);

let home: string;
let state: string;
beforeEach(() => {
  home = temporaryFolder();
  state = join(home, 'state');
  mkdirSync(state);
  const installation = { runDir: home, hubFolder: home, pm2Home: home, brokerStateDir: state };
  writeFileSync(join(home, 'run.json'), JSON.stringify(installation));
});
const write = (lines: readonly string[], name = 'audit.ndjson') =>
  writeFileSync(join(state, name), lines.map((line) => `${line}\n`).join(''));
const audit = (...args: string[]) => bowline(['--home', home, 'ssh-audit', ...args]);

describe('bowline ssh-audit', () => {
  test('when the journal is whole, its entries are shown, newest first, and its head is told', async () => {
    write(LINES.slice(0, 2), 'audit.ndjson.1');
    write(LINES.slice(2));
    const { code, stdout } = await audit();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /3 +2025-06-1.* ssh\.ended +ada +support +sessionId=s1 end=expired survivors=0\n2 .* ssh\.stream +admin +support .*\n1 .* ssh\.started +ada +support .*reason=the valve\n/,
    );
    expect(stdout).toContain('Whole and unchanged: entries 1 to 3.');
    const { hash } = markOf(LINES[2]);
    expect(stdout).toContain(`3:${hash}`);
    const one = JSON.parse((await audit('--json', '--lines', '1', '--noted', `3:${hash}`)).stdout) as object;
    expect(one).toMatchObject({ anchor: { seq: 0 }, head: { seq: 3, hash }, entries: [{ seq: 3 }] });
  });

  test('when an entry was changed, it is said which, and it does not end with 0', async () => {
    write(LINES.map((line) => line.replace('the valve', 'a look')));
    const { code, stdout, stderr } = await audit();
    expect(stdout).toContain('reason=a look');
    expect(stderr).toContain('is not whole: audit.ndjson, line 1: entry 1 was changed.');
    expect(code).toBe(21);
    const asJson = await audit('--json');
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: 'audit-broken' } });
    expect(asJson.code).toBe(21);
  });

  test('when its end was cut off, what was noted before tells it', async () => {
    write(LINES.slice(0, 2));
    expect((await audit()).code).toBe(0);
    const { code, stderr } = await audit('--noted', `3:${markOf(LINES[2]).hash}`);
    expect(stderr).toContain('entry 3 is not the one that was noted');
    expect(code).toBe(21);
  });

  test('when there is no session yet, that is said; when the folder cannot be read, who can', async () => {
    expect(await audit()).toMatchObject({ code: 0, stdout: 'Nothing yet.\n' });
    const installation = { runDir: home, hubFolder: home, pm2Home: home, brokerStateDir: join(home, 'none') };
    writeFileSync(join(home, 'run.json'), JSON.stringify(installation));
    expect(await audit()).toMatchObject({ code: 4, stderr: expect.stringContaining('root on a device') });
  });
});
