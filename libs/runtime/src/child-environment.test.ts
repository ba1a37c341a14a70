import { expect, test } from 'vitest';
import { childEnvironment } from './child-environment.ts';

test('when a program is started, it gets what it needs to run and none of the settings, secrets and flags of ours', () => {
  const ours = {
    PATH: '/usr/bin',
    TZ: 'UTC',
    LANG: undefined,
    BOWLINE_WS_GATEWAY__ENROLMENT__TOKEN_FILE: '/x',
    AWS_SECRET_ACCESS_KEY: 's3cret',
    NODE_OPTIONS: '--import=/x.js',
    LD_PRELOAD: '/x.so',
    pm_id: '3',
  };
  expect(childEnvironment(ours)).toEqual({ PATH: '/usr/bin', TZ: 'UTC' });
});
