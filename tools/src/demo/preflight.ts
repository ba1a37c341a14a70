import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';

interface LockedPackage {
  version?: string;
  link?: boolean;
  optional?: boolean;
  devOptional?: boolean;
}

/**
 * Compares node_modules with the lockfile: what is missing or of another version would otherwise show as a stack trace of
 * whichever program needs it first.
 */
export function checkNodeModules(checkout: string): void {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const wrong = Object.entries(lock.packages)
    .filter(
      ([path, { optional, devOptional }]) => path.includes('node_modules/') && !optional && !devOptional,
    )
    .filter(
      ([path, { link, version }]) => !isInstalled(join(checkout, path), link === true ? undefined : version),
    )
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  if (wrong.length === 0) return;
  const named = wrong.slice(0, 3).join(', ');
  const more = wrong.length > 3 ? ` and ${wrong.length - 3} more` : '';
  throw new DemoError(`node_modules is incomplete: ${named}${more}.`, 'Run: npm ci');
}

function isInstalled(folder: string, version: string | undefined): boolean {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: string };
    return version === undefined || manifest.version === version;
  } catch {
    return false;
  }
}

/** The pinned Node's binary, on which everything runs. */
export function pinnedRuntime(checkout: string): string {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new DemoError(
      `The demo runs on Linux on x64 and arm64; this is ${process.platform} on ${process.arch}.`,
      'Use a Linux machine, a virtual one or a container.',
    );
  }
  const file = join(checkout, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch (error) {
    throw new DemoError(`The pinned Node is missing (${file}).`, 'Run: npm ci --include=optional', error);
  }
}

/** Makes the folder of the state, and finds out by writing whether it can be written: modes do not tell of a read-only disk. */
export function checkWritable(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(join(home, '.gitignore'), '*\n');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new DemoError(
      `Cannot write to ${home} (${why}).`,
      'Make the checkout writable for you, or clone it to a folder that is.',
      error,
    );
  }
}

/** Says so before anything is started if the port is taken. */
export async function checkPort(port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1' }, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${String(code)})`;
    throw new DemoError(
      `Port ${port} ${why}.`,
      `Stop that program, or choose another port: npm start -- --port ${port + 100}`,
      error,
    );
  } finally {
    server.close();
  }
}

/** What must have been built. */
export function checkBuilt(checkout: string, apps: readonly string[]): void {
  const missing = apps.filter((app) => !existsSync(join(checkout, 'apps', app, 'dist', 'main.js')));
  if (missing.length === 0) return;
  throw new DemoError(
    `Not built: ${missing.join(', ')}.`,
    'Run: npx nx run-many -t build (npm start does it too, unless it is given --no-build)',
  );
}
