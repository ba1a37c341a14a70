import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  addSignature,
  draftOf,
  readTrustBundle,
  thumbprint,
  trustSigners,
  verifyTrustBundle,
  type OrderRole,
  type TrustDraft,
} from '@bowline/identity';
import { check, type TrustBundle } from '@bowline/messages';
import { trustBundle as isTrustBundle } from '@bowline/messages/trust';
import { BowlineError, writeFileDurably } from '@bowline/runtime';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { openKey, publicKey } from '../adapters/signing-keys.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';

export type Role = OrderRole | 'root';

/** A bundle on its way: a file that goes from one holder of a root key to the next. */
export interface DraftOptions {
  draft: string;
  /** Keys that sign at once, by name or file. */
  sign: readonly string[];
}

const fail = (code: string, sentence: string, advice: string, cause?: unknown) =>
  new CliError(code, sentence, { exitCode: EXIT.usage, advice, cause });

/** `bowline fleet trust show`: the bundle of the server, or of a file. */
export async function showTrust(
  { json }: Context,
  api: () => OperatorsApi,
  file: string | undefined,
): Promise<void> {
  const draft = file === undefined ? await api().trust() : readDraft(file);
  const bundle = readTrustBundle(draft);
  const keys: string[][] = [];
  for (const [role, jwks] of Object.entries(bundle.keys))
    for (const jwk of jwks) keys.push([role, await thumbprint(jwk), jwk.x]);
  const signers = await trustSigners(draft, { ...bundle, threshold: 1 }).catch(() => [] as string[]);
  if (json) return printJson({ ...bundle, signers });
  print(`Trust bundle ${bundle.version}; ${bundle.threshold} root key(s) must sign the next one.`);
  print(
    table(
      ['role', 'thumbprint', 'signed this one'],
      keys.map(([role = '', kid = '']) => [role, kid, signers.includes(kid) ? 'yes' : '']),
    ),
  );
}

/** `bowline fleet trust init`: the first bundle of a fleet whose root keys are kept away from its server. */
export async function initTrust(
  context: Context,
  roots: readonly string[],
  threshold: number,
  options: DraftOptions,
): Promise<void> {
  const keys = await Promise.all(roots.map((root) => publicKey(context.env, root)));
  const bundle = { version: 1, keys: { root: keys, update: [], access: [], command: [] }, threshold };
  await save(context, bundle, options);
}

/** `bowline fleet trust add-key ROLE KEY` */
export async function addTrustKey(
  context: Context,
  api: () => OperatorsApi,
  role: Role,
  key: string,
  options: DraftOptions & { threshold?: number },
): Promise<void> {
  const jwk = await publicKey(context.env, key);
  await change(context, api, options, (bundle) => {
    if (bundle.keys[role].some(({ x }) => x === jwk.x))
      throw fail('key-exists', `The bundle has this key for ${role} already.`, '');
    return { ...bundle, keys: { ...bundle.keys, [role]: [...bundle.keys[role], jwk] } };
  });
}

/** `bowline fleet trust remove-key ROLE KEY`, by thumbprint, name or file. */
export async function removeTrustKey(
  context: Context,
  api: () => OperatorsApi,
  role: Role,
  key: string,
  options: DraftOptions & { threshold?: number },
): Promise<void> {
  const { keys } = readTrustBundle(await startOf(api, options.draft));
  const kids = await Promise.all(keys[role].map(async (jwk) => ({ jwk, kid: await thumbprint(jwk) })));
  const gone = kids.find(({ kid }) => kid === key)?.jwk ?? (await publicKey(context.env, key));
  await change(context, api, options, (bundle) => {
    const left = bundle.keys[role].filter(({ x }) => x !== gone.x);
    if (left.length === bundle.keys[role].length)
      throw fail('no-key', `The bundle has no such key for ${role}.`, 'See: bowline fleet trust show');
    return { ...bundle, keys: { ...bundle.keys, [role]: left } };
  });
}

/** `bowline fleet trust rotate-root OLD NEW`: one root key takes the place of another; both must sign. */
export async function rotateRoot(
  context: Context,
  api: () => OperatorsApi,
  [old, next]: readonly [string, string],
  options: DraftOptions & { threshold?: number },
): Promise<void> {
  const [before, after] = [await publicKey(context.env, old), await publicKey(context.env, next)];
  await change(context, api, options, (bundle) => {
    const { root } = bundle.keys;
    if (!root.some(({ x }) => x === before.x))
      throw fail('no-key', `"${old}" is no root key of the bundle.`, 'See: bowline fleet trust show');
    return {
      ...bundle,
      keys: { ...bundle.keys, root: root.map((jwk) => (jwk.x === before.x ? after : jwk)) },
    };
  });
}

/** `bowline fleet trust set-release-root FILE`: which repository of releases the devices believe. */
export async function setReleaseRoot(
  context: Context,
  api: () => OperatorsApi,
  file: string,
  options: DraftOptions & { threshold?: number },
): Promise<void> {
  const root = readRoot(file);
  if (!isFirstRoot(root))
    throw fail(
      'usage',
      `${file} is not the first root of a repository.`,
      'It is metadata/1.root.json there.',
    );
  const tufRootSha256 = createHash('sha256').update(root).digest('hex');
  await change(context, api, options, (bundle) => ({ ...bundle, tufRootSha256 }));
}

function readRoot(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw fail('file-unreadable', `${file} cannot be read.`, 'See: bowline release show REPOSITORY', error);
  }
}

function isFirstRoot(root: Buffer): boolean {
  try {
    const { signed } = JSON.parse(root.toString('utf8')) as { signed?: Record<string, unknown> };
    return signed?.['_type'] === 'root' && signed.version === 1;
  } catch {
    return false;
  }
}

/** `bowline fleet trust sign FILE KEY…` */
export async function signTrust(context: Context, options: DraftOptions): Promise<void> {
  await save(context, readDraft(options.draft), options);
}

/** `bowline fleet trust publish FILE`: to the server, which sends it to every device. */
export async function publishTrust({ json }: Context, api: OperatorsApi, file: string): Promise<void> {
  const draft = readDraft(file);
  try {
    await verifyTrustBundle(draft, { held: readTrustBundle(await api.trust()) });
  } catch (error) {
    if (!(error instanceof BowlineError) || error instanceof CliError) throw error;
    throw fail(
      error.code,
      `No device would take it: ${error.message}.`,
      'Add signatures: bowline fleet trust sign',
    );
  }
  const version = await api.publishTrust(draft);
  if (json) printJson({ version });
  else print(`Trust bundle ${version} is published; devices get it now or when they connect.`);
}

/** A draft that is there already is changed on; else the server's bundle, one version up. Its signatures are void. */
async function change(
  context: Context,
  api: () => OperatorsApi,
  options: DraftOptions & { threshold?: number },
  edit: (bundle: TrustBundle) => TrustBundle,
): Promise<void> {
  const isNew = !existsSync(options.draft);
  const held = readTrustBundle(await startOf(api, options.draft));
  const version = isNew ? held.version + 1 : held.version;
  const { threshold = held.threshold } = options;
  await save(context, edit({ ...held, version, threshold }), options);
}

const startOf = async (api: () => OperatorsApi, file: string): Promise<TrustDraft> =>
  existsSync(file) ? readDraft(file) : api().trust();

async function save(
  context: Context,
  made: TrustBundle | TrustDraft,
  { draft: file, sign }: DraftOptions,
): Promise<void> {
  let draft = 'payload' in made ? made : draftOf(checked(made));
  for (const name of sign) draft = await addSignature(draft, await openKey(context.env, name));
  writeFileDurably(file, `${JSON.stringify(draft, null, 2)}\n`, 0o644);
  const { version, threshold } = readTrustBundle(draft);
  if (context.json) return printJson({ file, version, signatures: draft.signatures.length, threshold });
  print(`${file} holds trust bundle ${version} with ${draft.signatures.length} signature(s).`);
  const publish = `bowline fleet trust publish ${file}`;
  const signs = `bowline fleet trust sign ${file} KEY`;
  print(
    draft.signatures.length < threshold
      ? `Sign it with the root keys (${signs}), then: ${publish}`
      : `Publish it: ${publish} (first, where roots change, have the others sign it, too: ${signs})`,
  );
}

function checked(bundle: TrustBundle): TrustBundle {
  if (bundle.threshold > bundle.keys.root.length)
    throw fail(
      'usage',
      'The threshold is higher than the number of root keys.',
      'Nobody could ever sign the next one.',
    );
  return check<TrustBundle>(isTrustBundle, bundle, 'bundle');
}

function readDraft(file: string): TrustDraft {
  try {
    const draft = JSON.parse(readFileSync(file, 'utf8')) as TrustDraft;
    readTrustBundle(draft);
    return { payload: draft.payload, signatures: draft.signatures };
  } catch (error) {
    throw fail(
      'file-unreadable',
      `${file} holds no trust bundle.`,
      'Make one: bowline fleet trust add-key',
      error,
    );
  }
}
