import { afterEach, expect, test, vi } from 'vitest';
import { CliError, EXIT } from '../core/cli-error.ts';
import { print, remark, reportError } from './terminal.ts';

const EVIL = 'a \u001b[2J reason';
const SHOWN = 'a \uFFFD[2J reason\n';

afterEach(() => vi.restoreAllMocks());

test('when what others wrote is printed, it commands no terminal', () => {
  const written: unknown[] = [];
  const write = (text: unknown) => written.push(text) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(write);
  vi.spyOn(process.stderr, 'write').mockImplementation(write);
  print(EVIL);
  remark(EVIL);
  reportError(new CliError('x', EVIL, { exitCode: EXIT.orderFailed, advice: '' }), false);
  expect(written).toEqual([SHOWN, SHOWN, SHOWN]);
});
