import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, systemClock } from '@bowline/runtime';
import { incidents, keys } from '@bowline/server-sdk/store';
import { seededRandom, temporaryFolder, waitFor } from '@bowline/testing';
import { expect, it } from 'vitest';
import { startTestServer } from '../testing/test-server.ts';
import { openStore } from './open-store.ts';

const KILLS = Number(process.env['BOWLINE_KILLS'] ?? 3);
const MARK = 'here-lies-the-damage';
const OPENING = new URL('../testing/open-store.ts', import.meta.url).pathname;

it(`when the process is killed while it saves a damaged store (${KILLS} times), the next start saves the same`, async () => {
  const random = seededRandom();
  const server = await startTestServer();
  const device = await server.device('d1');
  const link = await device.open();
  for (let seq = 1; seq <= 30; seq += 1) {
    link.event(seq, seq === 15 ? MARK : 'test');
    if (seq % 10 === 5) await link.receipted('events', seq);
  }
  await link.receipted('events', 30);
  await server.stop();
  const file = join(server.stateDir, 'store', 'store.mdb');
  const content = readFileSync(file);
  for (let at = content.indexOf(MARK); at >= 0; at = content.indexOf(MARK, at + 1)) content[at] = 0x58;
  writeFileSync(file, content);

  for (let kill = 0; kill < KILLS; kill += 1) {
    const stateDir = join(temporaryFolder(), 'server');
    cpSync(server.stateDir, stateDir, { recursive: true });
    const child = spawn(process.execPath, [OPENING, stateDir], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    await waitFor(() => said.includes('the store is damaged') || child.exitCode !== null);
    const until = performance.now() + random.integer(0, 1500);
    await waitFor(() => performance.now() >= until || child.exitCode !== null);
    // With the child of its own that does the work.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;

    const { store, identity } = await openStore({
      stateDir,
      commitDeadlineMs: 30_000,
      compaction: { smallestFile: 2 ** 30, largestContent: 2 ** 30 },
      clock: systemClock,
      log: createLogger({ app: 'fleet-server', write: () => {} }),
    });
    expect(incidents(store)).toMatchObject([{ kind: 'damaged' }]);
    expect(JSON.parse(store.get(keys.server)?.toString() ?? '')).toMatchObject({
      serverEpoch: identity.serverEpoch,
    });
    expect(store.range({ from: 'log/d1/events/', to: 'log/d1/events0' }).length).toBeGreaterThan(1);
    await store.close();
    expect(statSync(join(stateDir, 'store', 'damaged.mdb')).size).toBe(content.length);
  }
});
