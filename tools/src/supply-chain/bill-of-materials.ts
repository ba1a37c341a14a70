import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';

/** The parts of CycloneDX 1.5 (ECMA-424) that we look at. */
export interface Bom {
  bomFormat: 'CycloneDX';
  specVersion: string;
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

interface Component {
  'bom-ref': string;
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
}

/** What is installed here and why, with the hashes that the lockfile holds it to, as npm itself tells it. */
export function billOfMaterials(): Bom {
  const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
  const { status, stdout, stderr } = spawnSync('npm', ['sbom', ...format], {
    cwd: WORKSPACE,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  if (status !== 0) throw new Error(`npm sbom failed, is everything installed (npm ci)?\n${stderr}`);
  const bom = JSON.parse(stdout) as Bom;
  // npm names the root after the folder that the checkout happens to lie in.
  const { name } = JSON.parse(readFileSync(join(WORKSPACE, 'package.json'), 'utf8')) as { name: string };
  bom.metadata.component.name = name;
  return bom;
}
