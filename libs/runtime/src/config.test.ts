import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'bl-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const validate = new Ajv2020({ useDefaults: true, coerceTypes: true, allErrors: true }).compile({
  type: 'object',
  additionalProperties: false,
  required: ['stateDir'],
  properties: {
    stateDir: { type: 'string' },
    names: { type: 'array', items: { type: 'string' }, default: [] },
    link: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        heartbeatMs: { type: 'integer', default: 30_000 },
        server: { type: 'string', default: 'none' },
        url: { type: 'string', pattern: '^wss?://', description: 'address of the link' },
      },
    },
  },
});

function load({
  file,
  env = {},
  args = [],
}: {
  file?: unknown;
  env?: Record<string, string>;
  args?: string[];
}) {
  const path = join(folder, 'config.json');
  if (file !== undefined) writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file));
  return loadConfig<{ stateDir: string; names: string[]; link: { heartbeatMs: number; server: string } }>(
    validate,
    {
      app: 'ws-gateway',
      args: file === undefined ? args : ['--config', path, ...args],
      env,
    },
  ).config;
}

describe('loadConfig', () => {
  it('when a key is given in several places, flags win over environment, environment over file, file over defaults', () => {
    const file = { stateDir: '/f', link: { server: 'file' } };
    expect(load({ file })).toEqual({
      stateDir: '/f',
      names: [],
      link: { heartbeatMs: 30_000, server: 'file' },
    });
    const env = { BOWLINE_WS_GATEWAY__LINK__HEARTBEAT_MS: '5', BOWLINE_WS_GATEWAY__STATE_DIR: '/e' };
    expect(load({ file, env })).toMatchObject({ stateDir: '/e', link: { heartbeatMs: 5, server: 'file' } });
    const args = ['--link.heartbeatMs=7', '--names=["a","b"]'];
    expect(load({ file, env, args })).toMatchObject({
      stateDir: '/e',
      names: ['a', 'b'],
      link: { heartbeatMs: 7 },
    });
  });

  it('when the value of a flag comes as the next word, it is taken', () => {
    const args = ['--state-dir', '/w', '--link.heartbeatMs', '7', '--names=["a"]'];
    expect(load({ args })).toMatchObject({ stateDir: '/w', names: ['a'], link: { heartbeatMs: 7 } });
    expect(() => load({ args: ['--state-dir', '--names=["a"]'] })).toThrow(/--state-dir=VALUE/);
  });

  it('when a flag is written in words, it is the key in camel case', () => {
    expect(load({ args: ['--state-dir=/w', '--link.heartbeat-ms=7'] })).toMatchObject({
      stateDir: '/w',
      link: { heartbeatMs: 7 },
    });
  });

  it('when another app is meant, its environment is ignored', () => {
    const env = { BOWLINE_SSH_BROKER__STATE_DIR: '/other', BOWLINE_WS_GATEWAY__STATE_DIR: '/mine' };
    expect(load({ env }).stateDir).toBe('/mine');
  });

  it('when it is loaded, nobody can change it', () => {
    const config = load({ file: { stateDir: '/f' } });
    expect(() => Object.assign(config.link, { heartbeatMs: 1 })).toThrow(TypeError);
  });

  it('when keys are wrong, every one is named', () => {
    const attempt = () => load({ file: { link: { heartbeatMs: 'often', sever: 'x' } } });
    expect(attempt).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    expect(attempt).toThrow(
      /stateDir.*unknown key "link\.sever".*"link\.heartbeatMs" must be integer|unknown key/,
    );
  });

  it('when a value has the wrong form, the words of its key are said beside the pattern', () => {
    const file = { stateDir: '/s', link: { url: 'example.com' } };
    expect(() => load({ file })).toThrow(/"link\.url" must match pattern .* \(address of the link\)/);
  });

  it('when the file is absent or no JSON, the error names the file', () => {
    expect(() => load({ args: ['--config', '/nowhere.json'] })).toThrow(/\/nowhere\.json: does not exist/);
    expect(() => load({ file: '{"stateDir":' })).toThrow(
      expect.objectContaining({ code: 'config-unreadable' }),
    );
    expect(() => load({ file: [] })).toThrow(/must be a JSON object/);
  });

  it('when a flag has no value, the error says how to write it', () => {
    expect(() => load({ args: ['--verbose'] })).toThrow(/--verbose=VALUE/);
  });

  it.each([
    ['a file', { file: '{"__proto__":{"stateDir":"/x","names":["y"]}}' }],
    ['a part of a file', { file: '{"stateDir":"/s","link":{"__proto__":{"server":"x"}}}' }],
    ['a flag', { args: ['--stateDir=/s', '--__proto__.server=x'] }],
    [
      'an environment',
      {
        env: { BOWLINE_WS_GATEWAY__LINK: '{"__proto__":{"server":"x"}}' },
        file: { stateDir: '/s', link: {} },
      },
    ],
  ])('when %s has the key __proto__, it is an unknown key and sets nothing', (_, sources) => {
    expect(() => load(sources)).toThrow(/unknown key ".*__proto__"/);
  });
});
