import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { findInstallation } from './adapters/find-installation.ts';

const CLI = resolve(import.meta.dirname, '..');
const NODE_MODULES = resolve(CLI, '../../node_modules');

/** bin/bowline.js with another program behind it. */
function installedBin(program?: string): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  cpSync(join(CLI, 'bin/bowline.js'), join(root, 'bin/bowline.js'));
  symlinkSync(NODE_MODULES, join(root, 'node_modules'));
  if (program !== undefined) {
    mkdirSync(join(root, 'dist'));
    writeFileSync(join(root, 'dist/main.js'), program);
  }
  return join(root, 'bin/bowline.js');
}

/** Makes Node say that it is an old one. */
const OLD_NODE =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.1.0"}})';

async function run(args: string[]) {
  const child = startProcess(process.execPath, args);
  const { code } = await child.exited;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

test('when bowline is not built, it says what to run', async () => {
  const { code, stderr } = await run([installedBin()]);
  expect(stderr).toMatch(/^bowline is not built yet \(.*\)\. Run: npx nx run @bowline\/cli:build\n$/);
  expect(code).toBe(70);
});

test('when Node is too old, it starts again on the pinned one and keeps arguments and exit code', async () => {
  const bin = installedBin(
    'console.log(process.versions.node, process.argv.slice(2).join(" ")); process.exitCode = 11;',
  );
  const { code, stdout } = await run(['--import', OLD_NODE, bin, 'fleet', 'devices']);
  expect(stdout).toBe(`${process.versions.node} fleet devices\n`);
  expect(code).toBe(11);
});

test('when the demo is above the current folder, or named, or the device has its file, it is found', () => {
  const root = temporaryFolder();
  const at = (name: string) => ({ runDir: `/${name}`, hubFolder: `/${name}/hub`, pm2Home: `/${name}/pm2` });
  const deviceFile = join(root, 'cli.json');
  const deep = join(root, 'checkout/a/b');
  mkdirSync(deep, { recursive: true });
  const find = (home?: string, env = {}) => findInstallation({ home, env, cwd: deep, deviceFile }).runDir;

  expect(() => find()).toThrow('No running demo');
  writeFileSync(deviceFile, JSON.stringify(at('device')));
  expect(find()).toBe('/device');
  mkdirSync(join(root, 'checkout/.bowline'));
  writeFileSync(join(root, 'checkout/.bowline/run.json'), JSON.stringify(at('demo')));
  expect(find()).toBe('/demo');
  mkdirSync(join(root, 'other'));
  writeFileSync(join(root, 'other/run.json'), JSON.stringify(at('other')));
  expect(find(undefined, { BOWLINE_HOME: join(root, 'other') })).toBe('/other');
  expect(find('../..', { BOWLINE_HOME: join(root, 'other') })).toBe('/demo');
  writeFileSync(deviceFile, '{"runDir": 7}');
  expect(() => findInstallation({ env: {}, cwd: root, deviceFile })).toThrow('"runDir" must be a text');
});

test('when the help of a command has a default duration, it is one that can be typed', async () => {
  const { stdout } = await run([join(CLI, 'src/main.ts'), 'ssh', '--help']);
  expect(stdout).toMatch(/--for[^-]*\(default:\s+15m\)/);
  expect(stdout).not.toMatch(/default:\s+\d+000\)/);
});
