import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Lockfile {
  packages: Record<string, { version?: string; integrity?: string; hasInstallScript?: boolean }>;
}

/** Several releases of node-ipc were malicious (9.1.6, 9.2.3, 10.1.1, 10.1.2, 11.0.0, 12.0.1); this one was read. */
const READ = {
  version: '14.0.0',
  integrity:
    'sha512-d5+aogND4Gk6aQkW5KCibliM4Mn12+isHXt8wFghO4Bn0gBSnev3TXJWQ4eEnzrlh5gCG+nwQEZwyayeDtQxQA==',
};

describe('node-ipc', () => {
  it('when the lockfile names it, it is the one release that was read, once, and runs nothing at install', () => {
    const lockfile = readFileSync(join(import.meta.dirname, '../../../package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lockfile) as Lockfile;
    const found = Object.entries(packages).filter(([path]) => path.endsWith('node_modules/node-ipc'));
    expect(found).toMatchObject([['node_modules/node-ipc', READ]]);
    const manifest = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8');
    expect(JSON.parse(manifest)).toMatchObject({ dependencies: { 'node-ipc': READ.version } });
    const family = ['node-ipc', 'event-pubsub', 'js-message', 'js-queue', 'easy-stack', 'strong-type'];
    for (const name of family) expect(packages[`node_modules/${name}`]?.hasInstallScript).toBeUndefined();
  });
});
