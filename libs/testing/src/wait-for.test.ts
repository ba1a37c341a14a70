import { expect, test } from 'vitest';
import { waitFor } from './wait-for.ts';

test('when the condition comes true later, its value is returned', async () => {
  let looks = 0;
  expect(await waitFor(() => (looks += 1) >= 3 && `look ${looks}`)).toBe('look 3');
});

test('when the condition throws at first, it is looked at again', async () => {
  let looks = 0;
  const value = await waitFor(async () => {
    looks += 1;
    if (looks < 2) throw new Error('not there yet');
    return looks;
  });
  expect(value).toBe(2);
});

test('when it never comes true, the error names what was awaited and keeps the last error', async () => {
  const last = new Error('still shut');
  const waiting = waitFor(
    () => {
      throw last;
    },
    { timeoutMs: 30, what: 'the door' },
  );
  await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining('the door'), cause: last });
});
