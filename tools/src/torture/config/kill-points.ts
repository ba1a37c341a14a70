/**
 * `node --import 'file://…/kill-points.ts?file=FILE' apps/APP/src/main.ts`: names each instant of a change of the configuration in
 * this app, before and after every durable write and every step, and ends the process as by `kill -9` at the one that FILE
 * names: `N NAME`, the Nth time from now on. FILE is gone then, and FILE.seen lists the instants that were passed. With `&hold=1`
 * the process stands still there instead, for as long as there is FILE.held: whoever is to be killed is killed from outside.
 * The app that FILE.full names has no room on its disk for what the cloud sends; while there is FILE.unprepared, what a local
 * override says counts before it is tried.
 */
import fs from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { basename, dirname } from 'node:path';

const { searchParams } = new URL(import.meta.url);
const file = searchParams.get('file') ?? '';
const holds = searchParams.get('hold') === '1';
/** apps/APP/src/main.ts */
const app = basename(dirname(dirname(process.argv[1] ?? '')));
const { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } = fs;

function pass(moment: 'before' | 'after', what: string): void {
  const name = `${app} ${moment} ${what}`;
  appendFileSync(`${file}.seen`, `${name}\n`);
  const [, times, wanted] = /^(\d+) (.*)$/.exec(read(file)) ?? [];
  if (wanted !== name) return;
  if (Number(times) > 1) return writeFileSync(file, `${Number(times) - 1} ${name}`);
  if (holds) writeFileSync(`${file}.held`, name);
  rmSync(file, { force: true });
  if (holds) while (existsSync(`${file}.held`)) standStill();
  else {
    process.kill(process.pid, 'SIGKILL');
    for (;;) standStill(); // until it has reached us
  }
}

const standStill = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const around = async (what: string, act: () => unknown): Promise<unknown> => {
  pass('before', what);
  const answer = await act();
  pass('after', what);
  return answer;
};

interface Batch {
  config?: { state?: { step: { phase: string } }; hashes?: object };
  journal?: { type: string; status: string }[];
}
/** What a commit of the gateway's store is for; undefined if it has nothing to do with the configuration. */
function purpose({ config, journal = [] }: Batch): string | undefined {
  const phase = config?.state?.step.phase;
  if (phase !== undefined) return `commit ${phase}`;
  if (config?.hashes !== undefined) return 'commit hashes';
  const order = journal.find(({ type }) => type === 'config');
  return order && `commit ${order.status}`;
}

/** Files that a change replaces, by the end of their names, and what that is called. */
const WRITES = {
  'cloud-config.json': 'write',
  'ws-gateway.local.json': 'write override',
  'override-refused.json': 'write refusal',
};

fs.renameSync = (from, to) => {
  const what = Object.entries(WRITES).find(([end]) => String(to).endsWith(end))?.[1];
  if (what === undefined) return renameSync(from, to);
  pass('before', what);
  if (what === 'write' && read(`${file}.full`) === app)
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  renameSync(from, to);
  pass('after', what);
};
syncBuiltinESMExports();

const isUnprepared = () => existsSync(`${file}.unprepared`);
Object.assign(globalThis, { around, passPoint: pass, purposeOf: purpose, isUnprepared });

/** Whose functions are to be met on their way, by the end of the file's path. */
const REWRITTEN: Record<string, (source: string) => string> = {
  // The app's side.
  '/libs/ipc/src/serve-config.ts': (source) =>
    wrapped(
      source,
      'configAnswers',
      `(...args) => {
        const answers = real(...args);
        return { ...answers,
          validate: (request) => around('validating', () => answers.validate(request)),
          apply: (request) => around('applying', () => answers.apply(request)) };
      }`,
    ),
  // The gateway's.
  '/config-push/config-targets.ts': (source) =>
    wrapped(
      source,
      'hubTargets',
      `(...args) => {
        const targets = real(...args);
        return { ...targets,
          validate: (app, ...rest) => around('validate ' + app, () => targets.validate(app, ...rest)),
          apply: (app, ...rest) => around('apply ' + app, () => targets.apply(app, ...rest)) };
      }`,
    ),
  '/config-push/link-proof.ts': (source) =>
    replaced(
      source,
      'this.#renew();',
      "passPoint('before', 'renew'); this.#renew(); passPoint('after', 'renew');",
    ),
  '/hub/serve-config.ts': (source) =>
    wrapped(
      source,
      'serveConfigOfDevice',
      `({ hub, ...ports }) => real({ ...ports, hub: {
          onNotification: (...args) => hub.onNotification(...args),
          onRegistered: (...args) => hub.onRegistered(...args),
          handle: (name, answer) => hub.handle(name, !name.endsWith('Override') ? answer
            : (...args) => around('answer ' + name, () => answer(...args))) } })`,
    ),
  '/libs/runtime/src/local-override.ts': (source) =>
    replaced(
      source,
      'prepare(override: Tree, instead: Tree, why: string): void {',
      'prepare(override: Tree, instead: Tree, why: string): void { if (isUnprepared()) return;',
    ),
  // The command line's.
  '/cli/src/adapters/gateway.ts': (source) =>
    replaced(
      source,
      'await hub.request(name, body, { deadlineMs: answerWithinMs });',
      `await (name.endsWith('Override') ? around : (_, ask) => ask())('ask ' + name,
        () => hub.request(name, body, { deadlineMs: answerWithinMs }));`,
    ),
  '/libs/durable-queue/src/index.ts': () => `
    export * from './limits.ts';
    import { openQueue as open } from './open-queue.ts';
    export async function openQueue(options) {
      const queue = await open(options);
      const commit = queue.commit.bind(queue);
      queue.commit = (batch) => {
        const what = purposeOf(batch);
        return what === undefined ? commit(batch) : around(what, () => commit(batch));
      };
      return queue;
    }`,
};

function replaced(source: string, part: string, by: string): string {
  if (!source.includes(part)) throw new Error(`kill-points: there is no "${part}" any more`);
  return source.replace(part, by);
}
/** The exported function under its name is `by`, in which `real` is what it was. */
function wrapped(source: string, name: string, by: string): string {
  const renamed = replaced(source, `export function ${name}(`, `function ${name}$real(`);
  return `${renamed}\nexport function ${name}(...all) { const real = ${name}$real; return (${by})(...all); }\n`;
}

registerHooks({
  load(url, context, nextLoad) {
    const path = url.split('?')[0] ?? '';
    const rewrite = Object.entries(REWRITTEN).find(([end]) => path.endsWith(end))?.[1];
    if (rewrite === undefined) return nextLoad(url, context);
    const loaded = nextLoad(url, context);
    return { ...loaded, source: rewrite(loaded.source?.toString() ?? '') };
  },
});
