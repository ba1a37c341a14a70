import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';

/** Where a result was measured and with what: numbers without it compare with nothing. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryMiB: number;
  kernel: string;
  /** Kind of the file system under the state folders, and its device. */
  fileSystem: string;
  versions: Record<string, string>;
}

const PACKAGES = ['lmdb', 'ws', 'mqtt', 'mqtt-level-store'];

/** @param folder where the state of the measured processes lies. */
export function describeMachine(folder: string): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    fileSystem: fileSystemOf(folder),
    versions: {
      node: process.versions.node,
      bowline: versionOf(join(WORKSPACE, 'package.json')),
      commit:
        git(['rev-parse', '--short', 'HEAD']) + (git(['status', '--porcelain']) === '' ? '' : ' + changes'),
      ...Object.fromEntries(
        PACKAGES.map((name) => [name, versionOf(join(WORKSPACE, 'node_modules', name, 'package.json'))]),
      ),
    },
  };
}

/** From the kernel's table of mounts: the one with the longest path above the folder. */
export function fileSystemOf(folder: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, path]) => path !== undefined && (path === '/' || `${folder}/`.startsWith(`${path}/`)));
  const [device, , kind] = mounts.toSorted((a, b) => (b[1]?.length ?? 0) - (a[1]?.length ?? 0))[0] ?? [];
  return `${kind ?? 'unknown'} on ${device ?? 'unknown'}`;
}

const versionOf = (manifest: string): string =>
  (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;

function git(args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: WORKSPACE,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown'; // an unpacked archive
  }
}
