import { expect, test } from 'vitest';
import { callerEnvironment } from './environment.ts';
import { installationFrom } from './installation.ts';

const GOOD = { runDir: '/r', hubFolder: '/r/hub', pm2Home: '/r/pm2' };

test('when the file is whole, it is read as it is', () => {
  expect(installationFrom(JSON.stringify({ ...GOOD, deviceId: 'demo' }), 'f')).toEqual({
    ...GOOD,
    deviceId: 'demo',
  });
});

test.each([
  ['{', 'f: is not JSON'],
  ['7', 'f: must be a JSON object'],
  ['{"runDir":"/r","hubFolder":"/h"}', 'f: "pm2Home" must be a text'],
  [JSON.stringify({ ...GOOD, serverUrl: 7 }), 'f: "serverUrl" must be a text'],
])('when the file holds %s, the error says what is wrong', (text, message) => {
  expect(() => installationFrom(text, 'f')).toThrow(message);
});

test('when pm2 is called, of the environment it gets what is listed, settings of apps and ours', () => {
  const env = {
    PATH: '/bin',
    HOME: '/root',
    SECRET: 'x',
    BOWLINE_TOKEN: 'x',
    BOWLINE_WS_GATEWAY__LOG_LEVEL: 'debug',
  };
  const passed = callerEnvironment(env, { BOWLINE_ROOT: '/opt' });
  expect(passed).toMatchObject({
    PATH: '/bin',
    BOWLINE_WS_GATEWAY__LOG_LEVEL: 'debug',
    BOWLINE_ROOT: '/opt',
  });
  expect(Object.keys(passed).filter((name) => name.includes('SECRET') || name.includes('TOKEN'))).toEqual([]);
});
