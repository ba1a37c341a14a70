import { waitFor } from '@bowline/testing';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { expect, test } from 'vitest';
import { GatewayUnderTest } from '../test-kit/gateway.ts';

interface LinkDown {
  code: string;
  delayMs: number;
  attempts: number;
}

/** How the first links of a real gateway end that a server welcomes, and then closes at once. */
async function endsOf(closeCode: number, count: number): Promise<LinkDown[]> {
  const cloud = await FakeCloud.start();
  const gateway = new GatewayUnderTest(cloud, {
    link: { allowInsecure: true, backoffBaseMs: 20, backoffCapMs: 60_000 },
  });
  const process = gateway.start();
  let closed = 0;
  return waitFor(() => {
    for (; closed < cloud.links.length && cloud.links[closed]?.hello !== undefined; closed += 1) {
      cloud.links[closed]?.socket.close(closeCode);
    }
    const lines = process.stdout().split('\n');
    const ends = lines.filter((line) => line.includes('link is down'));
    return ends.length >= count && ends.slice(0, count).map((line) => JSON.parse(line) as LinkDown);
  });
}

test('when the server refuses the token behind each welcome, the second time is the last for minutes', async () => {
  const [first, second] = await endsOf(4401, 2);
  expect(first).toMatchObject({ code: 'closed-4401', delayMs: 0 });
  expect(second?.delayMs).toBeGreaterThanOrEqual(300_000);
});

test('when the server sends the device away too fast and does not say for how long, it backs off', async () => {
  const ends = await endsOf(4429, 3);
  expect(ends.map(({ attempts }) => attempts)).toEqual([1, 2, 3]);
});
