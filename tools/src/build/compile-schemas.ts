/**
 * Compiles a package's JSON Schemas into plain validator functions, so that no process pays for ajv at start
 * (docs/adr/0004): reads `schemas` (module → name → schema) from `src/schemas.ts` of the current folder and writes `src/generated/`.
 *
 * A package whose schemas fill in defaults (configuration) exports `fillDefaults = true` as well, or the names of the
 * modules that do: what comes from outside the device is judged as it stands, never mended.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';

const { schemas, fillDefaults = false } = (await import(pathToFileURL(resolve('src/schemas.ts')).href)) as {
  schemas: Record<string, Record<string, object>>;
  fillDefaults?: boolean | readonly string[];
};
const out = resolve('src/generated');
mkdirSync(out, { recursive: true });

for (const [module, named] of Object.entries(schemas)) {
  const fills = typeof fillDefaults === 'boolean' ? fillDefaults : fillDefaults.includes(module);
  const ajv = new Ajv2020({
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    useDefaults: fills,
    coerceTypes: fills,
    allErrors: fills,
    code: { source: true, esm: true },
    keywords: ['localOnly', 'unit', 'restart', 'carriesLink'],
  });
  for (const [name, schema] of Object.entries(named)) ajv.addSchema(structuredClone(schema), name);
  const names = Object.keys(named);
  const code = [
    standaloneCode.default(ajv, Object.fromEntries(names.map((name) => [name, name]))),
    // Who completes a configuration also says which key was meant, and what the cloud may not set.
    ...(fills ? names.map((name) => `${name}.schema = ${JSON.stringify(named[name])};`) : []),
  ].join('\n');

  // ajv leaves CommonJS requires of its helpers in an ES module: bundling makes one file that runs anywhere.
  const bundled = await build({
    stdin: { contents: code, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    legalComments: 'none',
  });
  const [file] = bundled.outputFiles;
  if (file === undefined) throw new Error(`esbuild wrote nothing for ${module}`);
  const banner = '// Generated from src/schemas.ts; do not edit.\n';
  writeFileSync(`${out}/${module}.js`, banner + file.text);
  writeFileSync(
    `${out}/${module}.d.ts`,
    [
      `${banner}import type { ValidateFunction } from 'ajv';`,
      ...names.map((name) => `export declare const ${name}: ValidateFunction;`),
      '',
    ].join('\n'),
  );
}
