import type { Project } from '../test/nx.ts';

/**
 * What each lib may stand on. Device and cloud meet in shared libs only (by tag); this table adds the layers, so that
 * what is low stays small. `testing` is for tests alone. A new lib needs a row.
 */
const LIB_LAYERS: Record<string, string[]> = {
  runtime: [],
  command: [],
  messages: ['runtime'],
  pm2: ['runtime', 'testing'],
  identity: ['messages', 'runtime'],
  'record-store': ['runtime', 'testing'],
  'durable-queue': ['messages', 'record-store', 'runtime', 'testing'],
  ipc: ['messages', 'runtime', 'testing'],
  'device-app': ['identity', 'ipc', 'messages', 'runtime', 'testing'],
  releases: ['messages', 'runtime', 'testing'],
  'history-store': ['messages', 'runtime', 'testing'],
  scheduler: ['runtime', 'testing'],
  'server-sdk': ['identity', 'messages', 'runtime', 'testing', 'tunnel'],
  testing: ['identity', 'messages', 'runtime'],
  tunnel: ['runtime', 'testing'],
};

const TYPES = ['app', 'lib', 'tool'];
const SCOPES = ['device', 'cloud', 'shared'];

/** Every breach of the module boundaries, one sentence each; none is the good case. */
export function boundaryBreaches(projects: Project[]): string[] {
  const byName = new Map(projects.map((project) => [project.name, project]));
  return projects.flatMap((project) => [
    ...tagBreaches(project),
    ...project.dependencies.flatMap((name) => {
      const target = byName.get(name);
      return target === undefined ? [] : dependencyBreaches(project, target);
    }),
  ]);
}

function tagBreaches({ name, tags }: Project): string[] {
  const breaches: string[] = [];
  if (!TYPES.includes(tagged(tags, 'type') ?? ''))
    breaches.push(`${name} needs one tag of type:${TYPES.join('|')}`);
  if (!SCOPES.includes(tagged(tags, 'scope') ?? ''))
    breaches.push(`${name} needs one tag of scope:${SCOPES.join('|')}`);
  return breaches;
}

function dependencyBreaches(from: Project, to: Project): string[] {
  const breaches: string[] = [];
  const breach = (why: string) => breaches.push(`${from.name} must not depend on ${to.name}: ${why}`);

  const [fromType, toType] = [tagged(from.tags, 'type'), tagged(to.tags, 'type')];
  if (fromType !== 'tool' && toType !== 'lib') breach(`type:${fromType} depends on libs only`);
  if (fromType === 'tool' && toType === 'app')
    breach('a tool starts apps as processes, it does not import them');

  const [fromScope, toScope] = [tagged(from.tags, 'scope'), tagged(to.tags, 'scope')];
  // A tool builds, starts and tests both sides.
  if (fromType !== 'tool' && toScope !== 'shared' && fromScope !== toScope)
    breach(`scope:${fromScope} does not reach into scope:${toScope}`);

  if (fromType === 'lib' && toType === 'lib') {
    const allowed = LIB_LAYERS[shortName(from)];
    if (allowed === undefined) breach('it has no row in the table of layers');
    else if (!allowed.includes(shortName(to)))
      breach(`its layer stands on ${allowed.join(', ') || 'nothing'}`);
  }
  return breaches;
}

/** The value of the one tag of a kind; undefined if there is none or more than one. */
function tagged(tags: string[], kind: string): string | undefined {
  const [value, ...more] = tags
    .filter((tag) => tag.startsWith(`${kind}:`))
    .map((tag) => tag.slice(kind.length + 1));
  return more.length === 0 ? value : undefined;
}

const shortName = ({ name }: Project) => name.replace('@bowline/', '');
