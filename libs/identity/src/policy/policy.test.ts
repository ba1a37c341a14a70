import { describe, expect, test } from 'vitest';
import { POLICY_KEYS, parsePolicy } from './policy-file.ts';
import { Policy } from './policy-schema.ts';
import {
  DEFAULT_POLICY,
  isAllowed,
  judgeCommand,
  judgeParams,
  judgeRelease,
  judgeSsh,
  judgeUpdate,
  needsSignature,
} from './policy.ts';

const SOURCE = 'policy file /etc/p.json';
const held = (policy: object) => parsePolicy(JSON.stringify(policy), SOURCE);
const ask = { signed: false };

describe('judgeCommand', () => {
  test('when there is no policy, what changes nothing is allowed and nothing else', () => {
    for (const name of ['ping', 'listCommands', 'collectDiagnostics'])
      expect(judgeCommand(DEFAULT_POLICY, { ...ask, name })).toBeUndefined();
    expect(judgeCommand(DEFAULT_POLICY, { ...ask, name: 'reboot' })).toEqual({
      code: 'not-allowed',
      message:
        '/commands of the built-in default policy: permits only ping, listCommands, collectDiagnostics, not reboot',
    });
    expect(judgeUpdate(DEFAULT_POLICY, { channel: 'stable' })?.message).toContain('/updates/channels');
    expect(judgeSsh(DEFAULT_POLICY, { user: 'root', seconds: 1, capabilities: [] })?.message).toContain(
      '/ssh/users',
    );
  });

  test('when a policy names commands, the default is no more', async () => {
    const policy = await held({ commands: { reboot: {} } });
    expect(judgeCommand(policy, { ...ask, name: 'reboot' })).toBeUndefined();
    expect(judgeCommand(policy, { ...ask, name: 'ping' })?.message).toBe(
      `/commands of the ${SOURCE}: permits only reboot, not ping`,
    );
  });

  test('when a command needs a signature, it is refused without and allowed with one', async () => {
    const policy = await held({ commands: { 'a/b': { signed: true } } });
    expect(judgeCommand(policy, { ...ask, name: 'a/b' })).toEqual({
      code: 'signature-needed',
      message: `/commands/a~1b/signed of the ${SOURCE}: a/b needs a signature by a command key`,
    });
    expect(judgeCommand(policy, { ...ask, name: 'a/b', signed: true })).toBeUndefined();
    expect([needsSignature(policy, 'a/b'), needsSignature(policy, 'c')]).toEqual([true, false]);
  });

  test('when a pattern would backtrack without end in JavaScript, the params are judged all the same', async () => {
    const params = { type: 'object', properties: { x: { type: 'string', pattern: '^(a+)+$' } } };
    const policy = await held({ commands: { open: { params } } });
    const why = (x: string) => judgeParams(policy, { name: 'open', params: { x }, user: undefined })?.message;
    expect(why(`${'a'.repeat(60)}!`)).toContain('params/x must match pattern');
    expect(why('aaa')).toBeUndefined();
  });

  test('when params, time or user go beyond the rule, the refusal names it', async () => {
    const params = { type: 'object', properties: { valve: { enum: ['a', 'b'] } }, required: ['valve'] };
    const policy = await held({ commands: { open: { params, maxTimeoutMs: 1000, users: ['valves'] } } });
    const wanted = { name: 'open', signed: false, params: { valve: 'a' }, user: 'valves' };
    expect(judgeCommand(policy, { ...wanted, timeoutMs: 1000 })).toBeUndefined();
    expect(judgeParams(policy, wanted)).toBeUndefined();
    const why = (change: object) =>
      (judgeCommand(policy, { ...wanted, ...change }) ?? judgeParams(policy, { ...wanted, ...change }))
        ?.message;
    expect(why({ params: { valve: 'c' } })).toMatch(/^\/commands\/open\/params of .*params\/valve must be/);
    expect(why({ timeoutMs: 1001 })).toMatch(/^\/commands\/open\/maxTimeoutMs of .*: permits 1000 ms/);
    expect(why({ user: 'root' })).toMatch(/^\/commands\/open\/users of .*: permits only valves, not root/);
  });

  test('when a command is named like a member of every object, it is not allowed by that', async () => {
    const policy = await held({ commands: {} });
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(isAllowed(policy, name)).toBe(false);
      expect(judgeCommand(policy, { ...ask, name })?.code).toBe('not-allowed');
    }
  });
});

test('when updates and ssh are asked for, each rule is named that is against it', async () => {
  const policy = await held({
    updates: { channels: ['stable'] },
    ssh: { users: ['support'], maxSeconds: 60, capabilities: ['pty'] },
  });
  expect(judgeUpdate(policy, { channel: 'stable' })).toBeUndefined();
  expect(judgeUpdate(policy, { channel: 'nightly' })?.message).toContain('only stable, not nightly');
  const ssh = { user: 'support', seconds: 60, capabilities: ['pty'] };
  expect(judgeSsh(policy, ssh)).toBeUndefined();
  expect(judgeSsh(policy, { ...ssh, user: 'root' })?.message).toContain('/ssh/users');
  expect(judgeSsh(policy, { ...ssh, seconds: 61 })?.message).toContain('/ssh/maxSeconds');
  expect(judgeSsh(policy, { ...ssh, capabilities: ['pty', 'sftp'] })?.message).toContain('not sftp');
});

describe('parsePolicy', () => {
  test.each([
    [{ comands: {} }, 'did you mean "commands"?'],
    [{ commands: { ping: { singed: true } } }, 'did you mean "signed"?'],
    [{ ssh: { users: [], maxSeconds: 1, capabilities: [], qqq: 1 } }, 'known here: users, maxSeconds'],
    [{ commands: { allow: ['ping'] } }, 'policy/commands/allow must be object'],
    [{ commands: { '': null } }, 'policy/commands must NOT have additional properties'],
    [{ commands: { 're boot': { anything: 1 } } }, 're boot'],
    [
      { commands: { ping: { params: { type: 'objekt' } } } },
      'policy/commands/ping/params is not a JSON Schema',
    ],
    [{ commands: { ping: { params: { propertys: {} } } } }, 'propertys'],
    [
      {
        commands: {
          ping: { params: { type: 'object', properties: { x: { type: 'string', pattern: '^(?!a)' } } } },
        },
      },
      'policy/commands/ping/params is not a JSON Schema: pattern "^(?!a)" is not of RE2 syntax',
    ],
    [{ commands: { ping: { params: { $async: true, type: 'object', maxProperties: 0 } } } }, '$async'],
    [[], 'policy must be object'],
  ])('when the policy is %j, it is refused with what to mend', async (value, why) => {
    await expect(parsePolicy(JSON.stringify(value), SOURCE)).rejects.toMatchObject({
      code: 'policy-broken',
      message: expect.stringContaining(why),
    });
  });

  test('when the schema has a key, the did-you-mean knows it', () => {
    const { commands, updates, ssh } = Policy.properties;
    const rule = Object.values(commands.patternProperties)[0]?.properties ?? {};
    const places = [Policy.properties, rule, updates.properties, ssh.properties];
    expect(POLICY_KEYS.map(({ keys }) => keys)).toEqual(places.map((place) => Object.keys(place)));
  });
});

test('when a policy names no kinds, programs of the user may be installed and nothing else; else what it names', async () => {
  const silent = await held({ updates: { channels: ['stable'] } });
  expect(judgeRelease(silent, { kind: 'app' })).toBeUndefined();
  for (const kind of ['self', 'module:script'])
    expect(judgeRelease(silent, { kind })?.message).toBe(
      `/updates/kinds of the ${SOURCE}: permits only app, not ${kind}`,
    );
  const windows = [{ opens: '0 2 * * 1-5', minutes: 90 }];
  const named = await held({ updates: { channels: [], kinds: ['module:script'], windows } });
  expect(judgeRelease(named, { kind: 'module:script' })).toBeUndefined();
  expect(judgeRelease(named, { kind: 'module:other' })?.code).toBe('not-allowed');
  await expect(
    held({ updates: { channels: [], windows: [{ opens: 'at two', minutes: 1 }] } }),
  ).rejects.toThrow(/opens/);
});
