import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';
import { billOfMaterials } from './bill-of-materials.ts';

interface Locked {
  version?: string;
  integrity?: string;
  link?: boolean;
}

test('when the bill of materials is made, it names all that is installed by purl and locked hash, and only that', () => {
  const bom = billOfMaterials();
  expect(bom).toMatchObject({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    metadata: { component: { name: 'bowline' } },
  });
  const hashes = new Map(
    bom.components
      .filter(({ purl }) => !purl.startsWith('pkg:npm/%40bowline/'))
      .map(({ purl, hashes: [hash] = [] }) => [
        purl,
        hash && `sha512-${Buffer.from(hash.content, 'hex').toString('base64')}`,
      ]),
  );

  const { packages } = JSON.parse(readFileSync(join(WORKSPACE, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const installed = Object.entries(packages)
    .filter(
      ([path, { link }]) => path.includes('node_modules/') && !link && existsSync(join(WORKSPACE, path)),
    )
    .map(([path, { version, integrity }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return [`pkg:npm/${name.replace('@', '%40')}@${version}`, integrity] as const;
    });
  expect(installed.length).toBeGreaterThan(100);
  expect([...hashes].toSorted()).toEqual([...new Map(installed)].toSorted());

  const known = new Set([bom.metadata.component, ...bom.components].map((component) => component['bom-ref']));
  expect(known.size).toBe(bom.components.length + 1);
  const edges = bom.dependencies.flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn]);
  expect(edges.filter((ref) => !known.has(ref))).toEqual([]);
});
