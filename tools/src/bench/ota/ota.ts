import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createTestRepository, type TestRepository } from '@bowline/releases/testing';
import { folderIn, type BenchContext } from '../context.ts';
import type { BenchProcess } from '../processes.ts';
import { row, type Row } from '../row.ts';
import type { UpdateInput, UpdateOutput } from './device-worker.ts';

const MB = 1_000_000;
const LARGE_BYTES = 100 * MB;
const FILES = 500;
const FILE_BYTES = 100_000;

/** An update: fetched over loopback, laid out on the disk. docs/benchmarks.md explains each row. */
export async function benchOta(context: BenchContext): Promise<Row[]> {
  const repository = await createTestRepository(folderIn(context, 'repository'));
  const server = await context.processes.node('server', join(import.meta.dirname, 'server-worker.ts'));
  const url = await server.call<string>('serve', { folder: repository.folder });
  const update = async (input: Omit<UpdateInput, 'repository' | 'url'>) => {
    const device = await context.processes.node('device', join(import.meta.dirname, 'device-worker.ts'));
    const output = await device.call<UpdateOutput>('update', {
      repository: repository.folder,
      url,
      ...input,
    });
    await device.end();
    return output;
  };
  return [
    ...(await large(context, repository, update)),
    ...(await oneOfMany(context, repository, update, server)),
  ];
}

type Update = (input: Omit<UpdateInput, 'repository' | 'url'>) => Promise<UpdateOutput>;

async function large(context: BenchContext, repository: TestRepository, update: Update): Promise<Row[]> {
  context.say(`a release of one file of ${LARGE_BYTES / MB} MB`);
  const content = randomBytes(LARGE_BYTES);
  await repository.release({ 'data.bin': content }, { version: '1.0.0' });
  const file = join(context.folder, 'data.bin');
  writeFileSync(file, content);
  const { fetch, layOut, extraBytes } = await update({
    folder: folderIn(context, 'large'),
    version: '1.0.0',
  });
  const sum = sha256sum(file);
  const rate = (ms: number) => LARGE_BYTES / MB / (ms / 1000);
  return [
    row('fetched and checked', rate(fetch.wallMs), 'MB/s'),
    row('laid out and on the disk', rate(layOut.wallMs), 'MB/s'),
    row('sha256sum of the same file', rate(sum.wallMs), 'MB/s'),
    row('CPU time of the fetch', fetch.cpuMs / (LARGE_BYTES / MB), 'ms/MB'),
    row('CPU time of laying out', layOut.cpuMs / (LARGE_BYTES / MB), 'ms/MB'),
    row('CPU time of sha256sum', sum.cpuMs / (LARGE_BYTES / MB), 'ms/MB'),
    row('extra memory of the update', extraBytes / 2 ** 20, 'MiB', { goal: { atMost: 64 } }),
  ];
}

async function oneOfMany(
  context: BenchContext,
  repository: TestRepository,
  update: Update,
  server: BenchProcess,
): Promise<Row[]> {
  context.say(`one of ${FILES} files changes`);
  const tree: Record<string, Buffer> = {};
  for (let index = 0; index < FILES; index += 1)
    tree[`part-${index % 20}/file-${index}`] = randomBytes(FILE_BYTES);
  const before = await repository.release(tree, { version: '2.0.0' });
  await repository.release({ ...tree, 'part-7/file-7': randomBytes(FILE_BYTES) }, { version: '2.0.1' });
  const folder = folderIn(context, 'many');
  const installed = {
    version: '2.0.0',
    trees: [{ folder: layOut(join(folder, 'old'), tree), manifest: before.manifest }],
  };
  await server.call('sent');
  const output = await update({ folder, version: '2.0.1', installed });
  const sent = await server.call<number>('sent');
  return [
    row(
      'one of 500 files changed: sent by the server',
      (sent / output.totalBytes) * 100,
      '% of the release',
      {
        goal: { atMost: 2 },
        note: 'first look of a new device: all metadata is in it',
      },
    ),
    row('one of 500 files changed: laid out', output.layOut.wallMs / 1000, 's'),
  ];
}

function layOut(folder: string, tree: Record<string, Buffer>): string {
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** What the shell says of its children's time: `0m1.230s 0m0.040s`, on the second line of `times`. */
function sha256sum(file: string): { wallMs: number; cpuMs: number } {
  const from = performance.now();
  const { stdout } = spawnSync('sh', ['-c', 'sha256sum "$1" && times', 'sh', file], { encoding: 'utf8' });
  const wallMs = performance.now() - from;
  const [user = 0, system = 0] = (stdout.trim().split('\n').at(-1) ?? '').split(' ').map((text) => {
    const [, minutes = '0', seconds = '0'] = /^([0-9]+)m([0-9.]+)s$/.exec(text) ?? [];
    return Number(minutes) * 60_000 + Number(seconds) * 1000;
  });
  return { wallMs, cpuMs: user + system };
}
