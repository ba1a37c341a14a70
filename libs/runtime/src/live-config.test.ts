import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from 'vitest';
import type { ConfigValidator } from './config.ts';
import { RejectedError } from './errors.ts';
import { LiveConfig } from './live-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-live-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const validate = new Ajv2020({
  useDefaults: true,
  coerceTypes: true,
  allErrors: true,
  keywords: ['localOnly', 'unit', 'restart', 'carriesLink'],
}).compile({
  type: 'object',
  additionalProperties: false,
  required: ['stateDir'],
  properties: {
    stateDir: { type: 'string', localOnly: true },
    names: { type: 'array', items: { type: 'string' }, default: [] },
    sources: {
      type: 'array',
      default: [],
      items: {
        type: 'object',
        additionalProperties: false,
        properties: {
          every: { type: 'integer', default: 5 },
          program: { type: 'string', localOnly: true },
        },
      },
    },
    rooms: {
      type: 'object',
      default: {},
      patternProperties: { '^.*$': { type: 'object', properties: { size: { type: 'integer' } } } },
    },
    link: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        heartbeatMs: { type: 'integer', minimum: 5, default: 30_000, unit: 'ms', carriesLink: true },
        server: { type: 'string', default: 'none', localOnly: true },
        token: { type: 'string', default: 'very-secret' },
        bytes: { type: 'integer', default: 9, restart: true },
      },
    },
  },
});

interface Config {
  stateDir: string;
  names: string[];
  link: { heartbeatMs: number; server: string; bytes: number };
}

let count = 0;
/** An app with a folder of its own, started as often as the test likes. */
function device({ file = {}, local, args = [] }: { file?: object; local?: unknown; args?: string[] } = {}) {
  count += 1;
  const stateDir = mkdtempSync(join(folder, `state-${count}-`));
  const path = join(stateDir, 'app.json');
  writeFileSync(path, JSON.stringify({ stateDir, ...file }));
  if (local !== undefined) writeFileSync(join(stateDir, 'app.local.json'), JSON.stringify(local));
  const start = (more: string[] = [], validator: ConfigValidator = validate) =>
    new LiveConfig<Config>(validator, { app: 'app', args: ['--config', path, ...args, ...more], env: {} });
  return { start, path, stateDir, cloudFile: join(stateDir, 'cloud-config.json') };
}

const sourcesOf = (live: LiveConfig<Config>) =>
  Object.fromEntries(live.entries().map(({ key, source }) => [key, source]));

describe('LiveConfig', () => {
  it('when every layer says something, defaults < file < cloud < local override < flags, and each value says where it is from', async () => {
    const app = device({
      file: { link: { heartbeatMs: 10, server: 'file', bytes: 10 }, names: ['file'] },
      local: { link: { bytes: 30 } },
      args: ['--names=["flag"]'],
    });
    const live = app.start();
    await live.apply({ version: 3, section: { link: { heartbeatMs: 20, bytes: 20 }, names: ['cloud'] } });
    expect(live.current).toMatchObject({
      names: ['flag'],
      link: { heartbeatMs: 20, server: 'file', bytes: 30 },
    });
    expect(sourcesOf(live)).toMatchObject({
      names: 'flag',
      rooms: 'default',
      'link.heartbeatMs': 'cloud',
      'link.server': 'file',
      'link.bytes': 'local',
    });
  });

  it('when the process starts again, what the cloud set is in force without anybody telling it', async () => {
    const app = device();
    const before = app.start();
    await before.apply({ version: 7, section: { link: { heartbeatMs: 20 } } });
    const after = app.start();
    expect(after.current.link.heartbeatMs).toBe(20);
    expect(after.version).toBe(7);
    expect(after.hash).toBe(before.hash);
  });

  it('when a key is unknown, the refusal names the one that was meant', () => {
    const live = device().start();
    expect(live.judge({ link: { heartbeatsMs: 20 } })).toEqual([
      { key: 'link.heartbeatsMs', message: 'unknown key: did you mean "link.heartbeatMs"?' },
    ]);
    expect(live.judge(JSON.parse('{"__proto__":{"polluted":1}}') as Record<string, unknown>)).toEqual([
      { key: '__proto__', message: 'unknown key' },
    ]);
  });

  it.each([
    ['a key', { stateDir: '/elsewhere' }, 'stateDir'],
    ['a key below another', { link: { server: 'evil' } }, 'link.server'],
    ['a key in a list', { sources: [{ every: 1 }, { program: '/bin/sh' }] }, 'sources.1.program'],
  ])('when %s is for the device alone, the cloud is refused', async (_, section, key) => {
    const live = device().start();
    await expect(live.apply({ version: 1, section })).rejects.toMatchObject({
      code: 'config-refused',
      details: { faults: [{ key, message: 'may only be set on the device itself' }] },
    });
    expect(live.version).toBeUndefined();
  });

  it('when a value is out of range or of another type, it is refused, even where it would be hidden', () => {
    const live = device({ local: { link: { heartbeatMs: 50 } } }).start();
    expect(live.judge({ link: { heartbeatMs: 1 } })).toEqual([
      { key: 'link.heartbeatMs', message: 'must be >= 5' },
    ]);
    expect(live.judge({ link: { heartbeatMs: '20' } })).toEqual([
      { key: 'link.heartbeatMs', message: 'is of the wrong type' },
    ]);
    expect(live.judge({ sources: [{}] })).toEqual([]);
  });

  it('when a value is hidden by the local override, nothing changes', () => {
    const live = device({ local: { link: { heartbeatMs: 50 } } }).start();
    expect(live.changeBy({ link: { heartbeatMs: 60 } })).toEqual({ keys: [], restart: [], link: [] });
  });

  it('when something changes, it is told which keys need a restart and which carry the link', () => {
    const section = { link: { heartbeatMs: 60, bytes: 1 }, names: ['a'] };
    expect(device().start().changeBy(section)).toEqual({
      keys: ['names', 'link.heartbeatMs', 'link.bytes'],
      restart: ['link.bytes'],
      link: ['link.heartbeatMs'],
    });
  });

  it('when a part of the app cannot take a change, it is as before, on disk too, and that part hears of it', async () => {
    const app = device();
    const live = app.start();
    await live.apply({ version: 1, section: { link: { heartbeatMs: 20 } } });
    const heard: number[] = [];
    live.onChange(({ link }) => {
      heard.push(link.heartbeatMs);
      if (link.heartbeatMs === 30) throw new RejectedError('too-much', 'that is too much for me');
    });
    const refused = live.apply({ version: 2, section: { link: { heartbeatMs: 30 } } });
    await expect(refused).rejects.toMatchObject({
      code: 'config-refused',
      message: 'that is too much for me',
    });
    expect(heard).toEqual([30, 20]);
    expect(live.current.link.heartbeatMs).toBe(20);
    expect(app.start().current.link.heartbeatMs).toBe(20);
    expect(app.start().version).toBe(1);
  });

  it('when the disk does not take it, the app is as before and says why; once there is room, it is written again', async () => {
    const app = device();
    const live = app.start();
    await live.apply({ version: 1, section: { names: ['a'] } });
    // What no file can be put in the place of.
    rmSync(app.cloudFile);
    mkdirSync(app.cloudFile);
    await expect(live.apply({ version: 2, section: { names: ['b'] } })).rejects.toMatchObject({
      code: 'config-refused',
      message: expect.stringMatching(/^cannot be kept on this device: .*directory/) as string,
    });
    expect([live.version, live.current.names]).toEqual([1, ['a']]);
    rmdirSync(app.cloudFile);
    await live.apply({ version: 1, section: { names: ['a'] } });
    expect(app.start().current.names).toEqual(['a']);
  });

  it('when what lay there at the start was no good and another section comes, nothing is said of it any more', async () => {
    const app = device();
    writeFileSync(app.cloudFile, '[]');
    const live = app.start();
    expect(live.problem).toBeDefined();
    await live.apply({ version: 0, section: {} });
    expect(live.problem).toBeUndefined();
    expect(app.start().problem).toBeUndefined();
  });

  it.each([
    ['does not fit its schema any more', '{"version":4,"section":{"gone":1}}', 'unknown key'],
    ['sets what it may not', '{"version":4,"section":{"stateDir":"/x"}}', 'only be set on the device'],
    ['is torn', '{"version":4,"sec', 'JSON'],
    ['is something else', '[]', 'damaged'],
  ])('when what the cloud once sent %s, the app starts without it and says why', (_, text, why) => {
    const app = device({ file: { names: ['mine'] } });
    writeFileSync(app.cloudFile, text);
    const live = app.start();
    expect(live.current.names).toEqual(['mine']);
    expect(live.problem).toContain(why);
    expect(live.version).toBeUndefined();
  });

  it('when the local override is wrong, it is the owner who is told, and it is not the cloud', () => {
    expect(() => device({ local: { link: { heartbeatMs: 1 } } }).start()).toThrow(
      /heartbeatMs" must be >= 5/,
    );
    expect(() => device({ local: [] }).start()).toThrow(/app\.local\.json: must be a JSON object/);
  });

  it('when two apps are configured alike, wherever from, their hash is the same', async () => {
    const state = device().stateDir;
    const [a, b] = [device(), device({ file: { link: { bytes: 4 } } })];
    const here = [`--state-dir=${state}`];
    const cloud = a.start(here);
    expect(cloud.hash).not.toBe(b.start(here).hash);
    await cloud.apply({ version: 1, section: { link: { bytes: 4 } } });
    expect(cloud.hash).toBe(b.start(here).hash);
  });

  it('when the software has other defaults, the hash is another, and that of what is set is the same', async () => {
    const app = device({ local: { names: ['here'] } });
    await app.start().apply({ version: 1, section: { link: { bytes: 4 } } });
    const updated = (value: unknown) => {
      const config = value as { link?: { heartbeatMs?: number } };
      config.link = { heartbeatMs: 60_000, ...config.link };
      return validate(config);
    };
    const [before, after] = [app.start(), app.start([], Object.assign(updated, { schema: validate.schema }))];
    expect(after.hash).not.toBe(before.hash);
    expect(after.setHash).toBe(before.setHash);
    const set = device({ local: { names: ['here', 'too'] } }).start([`--state-dir=${app.stateDir}`]);
    expect(set.setHash).not.toBe(before.setHash);
  });

  it('when it is shown, secrets are not', () => {
    const shown = device().start().entries();
    expect(shown.find(({ key }) => key === 'link.token')?.value).toBe('[redacted]');
    expect(shown.find(({ key }) => key === 'link.heartbeatMs')).toEqual({
      key: 'link.heartbeatMs',
      value: 30_000,
      source: 'default',
      unit: 'ms',
      carriesLink: true,
    });
  });

  it('when the same section comes again, nothing is written', async () => {
    const app = device();
    const live = app.start();
    await live.apply({ version: 1, section: { names: ['a'] } });
    writeFileSync(app.cloudFile, 'untouched');
    const change = await live.apply({ version: 1, section: { names: ['a'] } });
    expect(change.keys).toEqual([]);
    expect(readFileSync(app.cloudFile, 'utf8')).toBe('untouched');
  });
});

describe('the local override of a running app', () => {
  const BAD = { link: { server: 'nowhere' } };
  const write = (app: ReturnType<typeof device>, override: object) =>
    writeFileSync(join(app.stateDir, 'app.local.json'), JSON.stringify(override));

  it('when it was tried and did not stand, what was before counts, also at each start, until the file says something else', async () => {
    const app = device({ local: { link: { server: 'good' } } });
    const live = app.start();
    live.prepareOverride(BAD);
    write(app, BAD);
    expect(app.start().current.link.server).toBe('good'); // before it was tried at all
    await live.takeOverride(live.readOverride());
    expect(live.current.link.server).toBe('nowhere');
    expect(app.start().current.link.server).toBe('nowhere');
    await live.goBackToOverride({ link: { server: 'good' } });
    await live.refuseOverride(BAD, live.override, 'nobody there');
    expect([live.current.link.server, live.refused]).toEqual(['good', 'nobody there']);
    const next = app.start();
    expect([next.current.link.server, next.refused]).toEqual(['good', 'nobody there']);
    write(app, { link: { server: 'good' } });
    expect(live.refused).toBeUndefined(); // its owner has taken it back
    write(app, { link: { server: 'other' } });
    expect([app.start().current.link.server, app.start().refused]).toEqual(['other', undefined]);
  });

  it('when another one is prepared over one that was refused, that one stays refused until the file is written', async () => {
    const app = device({ local: { link: { server: 'good' } } });
    const live = app.start();
    await live.refuseOverride(BAD, live.override, 'nobody there');
    write(app, BAD);
    const next = app.start();
    next.prepareOverride({ link: { server: 'another' } });
    expect(app.start().current.link.server).toBe('good');
  });

  it('when others are refused after the one in the file, that one stays refused, however many there are', async () => {
    const app = device({ local: BAD });
    const live = app.start();
    await live.refuseOverride(BAD, { link: { server: 'good' } }, 'nobody there');
    for (let i = 0; i < 9; i += 1) {
      live.prepareOverride({ names: [`p${i}`] });
      await live.refuseOverride({ names: [`r${i}`] }, {}, 'nobody there');
    }
    expect(app.start().current.link.server).toBe('good');
    const held: unknown = JSON.parse(readFileSync(join(app.stateDir, 'override-refused.json'), 'utf8'));
    expect(held).toHaveLength(5);
  });

  it('when what counts in place of a refused one does not fit any more, the file alone counts', async () => {
    const app = device({ file: { link: { server: 'file' } }, local: BAD });
    await app.start().refuseOverride(BAD, { link: { heartbeatMs: 1 } }, 'nobody there');
    expect(app.start().current.link).toMatchObject({ server: 'file', heartbeatMs: 30_000 });
  });

  it.each([
    ['was refused, the file said what counts meanwhile', false, undefined, 'nowhere'],
    ['was refused, and the file has said nothing else', true, undefined, 'good'],
    ['was only prepared in this boot', false, (text: string) => text, 'good'],
    [
      'was only prepared in another boot',
      false,
      (text: string) => text.replace(/"preparedIn":"[^"]*"/, '"preparedIn":"b"'),
      'nowhere',
    ],
    [
      'was only prepared, and long ago',
      false,
      (text: string) => text.replace(/"preparedAtMs":[\d.]+/, '"preparedAtMs":-600000'),
      'nowhere',
    ],
  ])(
    'when one that %s stands in the file at a start, it counts only if that is past',
    async (_, isWritten, prepared, counts) => {
      const app = device({ local: { link: { server: 'good' } } });
      const live = app.start();
      const record = join(app.stateDir, 'override-refused.json');
      if (prepared === undefined) await live.refuseOverride(BAD, live.override, 'nobody there');
      else {
        live.prepareOverride(BAD);
        writeFileSync(record, prepared(readFileSync(record, 'utf8')));
      }
      if (isWritten) write(app, BAD);
      live.forgetRefused();
      write(app, BAD);
      expect(app.start().current.link.server).toBe(counts);
    },
  );

  it('when the device alone may set a key, it needs a restart unless it carries the link', () => {
    const live = device().start();
    expect(live.changeByOverride({ link: { server: 'x', heartbeatMs: 7 } })).toEqual({
      keys: ['link.heartbeatMs', 'link.server'],
      restart: ['link.server'],
      link: ['link.heartbeatMs'],
    });
    expect(live.judgeOverride({ link: { heartbeatMs: 1 } })).toMatchObject([{ key: 'link.heartbeatMs' }]);
  });

  it('when a listener refuses it, what was before is in force', async () => {
    const live = device().start();
    live.onChange(({ link }) => {
      if (link.server === 'nowhere') throw new RejectedError('no', 'not that one');
    });
    await expect(live.takeOverride(BAD)).rejects.toThrow('not that one');
    expect([live.current.link.server, live.override]).toEqual(['none', {}]);
  });

  it('when it is wrong, the error names its file and what is wrong there, and quotes nothing of a file that is no JSON', () => {
    const app = device({ file: { oops: 1 }, local: { link: { heartbeatMs: 1 } } });
    expect(app.start).toThrow(
      `${app.path}: unknown key "oops"; ${join(app.stateDir, 'app.local.json')}: "link.heartbeatMs" must be >= 5`,
    );
    writeFileSync(join(app.stateDir, 'app.local.json'), '{"token": hunter2}');
    expect(app.start).toThrow(/app\.local\.json: is not JSON: Unexpected token 'h'$/);
  });
});
