import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolEnvironment, WORKSPACE } from './run.ts';

/** One package of the workspace, as Nx sees it. */
export interface Project {
  name: string;
  /** Its folder, relative to the workspace. */
  root: string;
  tags: string[];
  targets: string[];
  /** Names of the packages of this workspace that it depends on. */
  dependencies: string[];
}

/** Reads the project graph that Nx makes of a workspace's package.json files. */
export function readProjects(workspace = WORKSPACE): Project[] {
  const folder = mkdtempSync(join(tmpdir(), 'bl-graph-'));
  try {
    const file = join(folder, 'graph.json');
    nxAnswer(['graph', `--file=${file}`], workspace);
    const { graph } = JSON.parse(readFileSync(file, 'utf8')) as {
      graph: {
        nodes: Record<string, { data: { root: string; tags?: string[]; targets: Record<string, unknown> } }>;
        dependencies: Record<string, { target: string }[]>;
      };
    };
    return Object.entries(graph.nodes).map(([name, { data }]) => ({
      name,
      root: data.root,
      tags: data.tags ?? [],
      targets: Object.keys(data.targets),
      dependencies: (graph.dependencies[name] ?? [])
        .map(({ target }) => target)
        .filter((target) => target in graph.nodes),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names of the projects that a change since `base` can have touched. */
export function affectedProjects(base: string, workspace = WORKSPACE): string[] {
  return JSON.parse(
    nxAnswer(['show', 'projects', '--affected', `--base=${base}`, '--json'], workspace),
  ) as string[];
}

function nxAnswer(args: string[], workspace: string): string {
  const { status, stdout, stderr } = spawnSync('nx', args, {
    cwd: workspace,
    env: toolEnvironment(),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`nx ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}
