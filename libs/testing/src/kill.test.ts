import { expect, test } from 'vitest';
import { killByPid } from './kill.ts';

test('when no process is named, none is signalled and it is an error', () => {
  for (const pid of [undefined, 0, 1, -1]) expect(() => killByPid(pid)).toThrow('no process');
});
