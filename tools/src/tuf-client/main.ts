/** The client under test for the TUF conformance suite: tools/tuf-client/README.md. */
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { InternalError, systemClock } from '@bowline/runtime';
import { refreshMetadata, type VerifiedMetadata } from '@bowline/releases/metadata';
import { httpMirror, readAll } from '@bowline/releases/transport';
import { ANCHOR, folderStore, writeRole } from './folder-store.ts';

interface Options {
  metadataDir: string;
  metadataUrl: string;
  targetName: string;
  targetBaseUrl: string;
  targetDir: string;
}

const until = new AbortController().signal;
const mirrorOf = (url: string) =>
  httpMirror({
    url,
    stallMs: 10_000,
    minBytesPerSecond: 100,
    userAgent: 'bowline tuf-client',
    clock: systemClock,
  });

async function withMetadata(
  options: Options,
  use: (metadata: VerifiedMetadata) => Promise<void>,
): Promise<void> {
  const scratchDir = mkdtempSync(join(tmpdir(), 'bowline-tuf-'));
  const mirror = mirrorOf(options.metadataUrl);
  try {
    const metadata = await refreshMetadata(
      {
        store: folderStore(options.metadataDir),
        scratchDir,
        anchor: ANCHOR,
        initialRoot: () => Promise.reject(new InternalError('internal', 'init was not called')),
        get: (name, signal) => mirror.get(name, {}, signal),
        nowMs: Date.now(),
      },
      until,
    );
    await use(metadata);
  } finally {
    mirror.close();
    rmSync(scratchDir, { recursive: true, force: true });
  }
}

async function download(options: Options, metadata: VerifiedMetadata): Promise<void> {
  const { targetName, targetBaseUrl, targetDir } = options;
  const target = await metadata.target(targetName);
  if (target === undefined) throw new Error(`there is no target ${targetName}`);
  const file = join(targetDir, encodeURIComponent(targetName));
  const isGood = (path: string) =>
    target.verify(createReadStream(path)).then(
      () => true,
      () => false,
    );
  if (existsSync(file) && (await isGood(file))) return;
  const mirror = mirrorOf(targetBaseUrl);
  try {
    const path = metadata.pathOf(target).split('/').map(encodeURIComponent).join('/');
    const reply = await mirror.get(path, {}, until);
    if (reply.status !== 200) throw new Error(`the server answers ${reply.status} to ${path}`);
    const beside = `${file}.new`;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(beside, await readAll(reply, target.length, targetName));
    if (!(await isGood(beside))) {
      rmSync(beside);
      throw new Error(`${path} is not what was signed`);
    }
    renameSync(beside, file);
  } finally {
    mirror.close();
  }
}

const program = new Command('tuf-client')
  .requiredOption('--metadata-dir <folder>')
  .option('--metadata-url <url>')
  .option('--target-name <path>')
  .option('--target-base-url <url>')
  .option('--target-dir <folder>');
const options = () => program.opts<Options>();
program
  .command('init')
  .argument('<root>')
  .action((root: string) => writeRole(options().metadataDir, 'root', readFileSync(root, 'utf8')));
program.command('refresh').action(() => withMetadata(options(), async () => {}));
program
  .command('download')
  .action(() => withMetadata(options(), (metadata) => download(options(), metadata)));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
