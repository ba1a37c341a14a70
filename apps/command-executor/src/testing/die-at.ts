/**
 * `node --import die-at.ts main.ts` with DIE_AT="rename-before /runs/": the process ends as by `kill -9` just before or just after
 * it first puts a file in place (or removes one) whose path contains that text; with a number behind it, the time after so many.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [moment, part = '', count = '1'] = (process.env['DIE_AT'] ?? '').split(' ');
const { renameSync, rmSync } = fs;
let left = Number(count);

function die(): void {
  process.kill(process.pid, 'SIGKILL');
  for (;;); // until it has reached us
}

function around(what: string, file: unknown, act: () => void): void {
  const isHere = String(file).includes(part) && moment?.startsWith(what) === true && --left === 0;
  if (isHere && moment === `${what}-before`) die();
  act();
  if (isHere && moment === `${what}-after`) die();
}

fs.renameSync = (from, to) => around('rename', to, () => renameSync(from, to));
fs.rmSync = (file, options) => around('remove', file, () => rmSync(file, options));
syncBuiltinESMExports();
