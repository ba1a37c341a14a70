import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/**
 * Imports of a package that its package.json does not declare, and those that leave its folder. What an app runs must be
 * in `dependencies`; a test may use `devDependencies` and those of the workspace's root. Nx sees declared dependencies
 * only, so an undeclared one would be missing from `affected`.
 */
export function undeclaredImports(workspace: string, packageFolder: string): string[] {
  const root = readManifest(workspace);
  const manifest = readManifest(join(workspace, packageFolder));
  const run = new Set([
    manifest.name,
    ...Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
  ]);
  const test = new Set([...run, ...Object.keys({ ...manifest.devDependencies, ...root.devDependencies })]);

  const files = globSync('**/*.{ts,tsx,js,cjs,mjs}', {
    cwd: join(workspace, packageFolder),
    exclude: (path) => /(^|\/)(node_modules|dist|generated|reports)(\/|$)/.test(path),
  });
  return files.toSorted().flatMap((file) => {
    const declared = isForTests(file) ? test : run;
    return importsOf(readFileSync(join(workspace, packageFolder, file), 'utf8')).flatMap((module) => {
      const where = `${packageFolder}/${file} imports ${module}`;
      if (module.startsWith('.'))
        return leaves(file, module) ? [`${where}, which lies outside of its package`] : [];
      if (isBuiltin(module) || declared.has(packageOf(module))) return [];
      return [`${where}, which ${manifest.name} does not declare`];
    });
  });
}

/** The modules that a source file names in import and export statements, `import()` and `require()`. */
export function importsOf(source: string): string[] {
  const statements = /^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom\s*)?\s*['"]([^'"]+)['"]/gm;
  const calls = /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*[,)]/g;
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, module]) => module ?? '');
}

const isBuiltin = (module: string) => module.startsWith('node:') || builtinModules.includes(module);
const isForTests = (file: string) =>
  /\.(test|contract|bench)\.ts$|(^|\/)(test|testing|test-kit|e2e|fixtures)\/|\.config\.(ts|cjs|mjs)$|(^|\/)build\.ts$/.test(
    file,
  );
const packageOf = (module: string) => module.split('/', module.startsWith('@') ? 2 : 1).join('/');

/** Whether a relative import climbs out of the package folder. */
function leaves(file: string, module: string): boolean {
  return join(file, '..', module).startsWith('..');
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
