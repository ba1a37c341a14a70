import { expect, test } from 'vitest';
import { deviceFragment, readFragment, ROLLOUTS_FRAGMENT } from './route.ts';

test('when the fragment carries a token, it is taken, with the device if one is named', () => {
  expect(readFragment('#token=abc.def')).toEqual({ kind: 'token', token: 'abc.def' });
  expect(readFragment('#token=abc&device=demo')).toEqual({ kind: 'token', token: 'abc', deviceId: 'demo' });
});

test('when the fragment names a device, it is that device, whatever characters its id has', () => {
  expect(readFragment(deviceFragment('press 4/ä'))).toEqual({ kind: 'device', deviceId: 'press 4/ä' });
});

test('when the fragment names the rollouts, it is those, and no device of that name', () => {
  expect(readFragment(ROLLOUTS_FRAGMENT)).toEqual({ kind: 'rollouts' });
  expect(readFragment('#/rollouts')).toEqual({ kind: 'device', deviceId: 'rollouts' });
});

test.each(['', '#', '#/', '#token=', '#token=%20', '#/%E0%A4%A', '#other'])(
  'when the fragment is %j, it says nothing',
  (fragment) => {
    expect(readFragment(fragment)).toEqual({ kind: 'none' });
  },
);
