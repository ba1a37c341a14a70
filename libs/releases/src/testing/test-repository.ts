import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Ed25519Jwk } from '@bowline/messages';
import type { ReleaseManifest } from '../manifest-schema.ts';
import {
  addRelease,
  initRepository,
  publish,
  readTree,
  type ReleaseSigner,
  type RoleKeys,
} from '../publisher/index.ts';

export function createSigner(): ReleaseSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return {
    jwk: { kty: 'OKP', crv: 'Ed25519', x } satisfies Ed25519Jwk,
    sign: (bytes) => Promise.resolve(sign(undefined, bytes, privateKey)),
  };
}

/** A file: its content, and whether it may be run. A link: `{ link: TARGET }`. A folder: null. */
export type TestTree = Record<string, string | Buffer | { run: string } | { link: string } | null>;

export interface TestRepository {
  folder: string;
  /** Of every role of its own. */
  signers: Record<'root' | 'targets' | 'snapshot' | 'timestamp', ReleaseSigner>;
  all: ReleaseSigner[];
  /** Adds a release of these files, not yet published. */
  add(
    tree: TestTree,
    fields?: Partial<ReleaseManifest>,
  ): Promise<{ digest: string; manifest: ReleaseManifest }>;
  publish(): Promise<void>;
  /** Adds and publishes. */
  release(
    tree: TestTree,
    fields?: Partial<ReleaseManifest>,
  ): Promise<{ digest: string; manifest: ReleaseManifest }>;
}

/** A repository with a key for each role, made by the publisher's own code. */
export async function createTestRepository(
  folder: string,
  { now = () => Date.now() }: { now?: () => number } = {},
): Promise<TestRepository> {
  const signers = {
    root: createSigner(),
    targets: createSigner(),
    snapshot: createSigner(),
    timestamp: createSigner(),
  };
  const all = Object.values(signers);
  const roles = Object.fromEntries(
    Object.entries(signers).map(([role, { jwk }]) => [role, { keys: [jwk], threshold: 1 }]),
  ) as unknown as RoleKeys;
  await initRepository(folder, roles, all, now());
  await publish(folder, all, now());
  const repository: TestRepository = {
    folder,
    signers,
    all,
    async add(tree, fields = {}) {
      const source = mkdtempSync(join(tmpdir(), 'bowline-release-'));
      try {
        for (const [path, what] of Object.entries(tree)) lay(join(source, path), what);
        const manifest: ReleaseManifest = {
          format: 1,
          kind: 'app',
          name: 'kiosk',
          version: '1.0.0',
          channel: 'stable',
          ...(await readTree(source, folder)),
          ...fields,
        };
        return { ...(await addRelease(folder, manifest, all, now())), manifest };
      } finally {
        rmSync(source, { recursive: true, force: true });
      }
    },
    publish: async () => void (await publish(folder, all, now())),
    async release(tree, fields) {
      const added = await repository.add(tree, fields);
      await repository.publish();
      return added;
    },
  };
  return repository;
}

function lay(file: string, what: TestTree[string]): void {
  if (what === null) {
    mkdirSync(file, { recursive: true });
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  if (typeof what === 'string' || Buffer.isBuffer(what)) writeFileSync(file, what);
  else if ('link' in what) symlinkSync(what.link, file);
  else writeFileSync(file, what.run, { mode: 0o755 });
}
