import { waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { haveRead } from './young-memory.ts';

const KIB = 1024;

test('when much was read, the memory of what nobody holds any more is given back at once', async () => {
  const held = (): number => process.memoryUsage().arrayBuffers;
  haveRead(2 * KIB * KIB); // starts the count anew
  const before = held();
  for (let read = 0; read < 2 * KIB; read += 64) {
    Buffer.allocUnsafeSlow(64 * KIB);
    if (read < 2 * KIB - 64) haveRead(64 * KIB - 1);
  }
  expect(held() - before).toBeGreaterThan(KIB * KIB);
  haveRead(64 * KIB + 32);
  await waitFor(() => held() - before < KIB * KIB);
});
