import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RELEASE_TREE } from './strays.ts';

/** A release's own file, by which pm2 starts its program. */
export const ECOSYSTEM = 'ecosystem.config.cjs';

/**
 * In a cluster of pm2 its wrapper has a listener that writes a rejection down and lets the process live; without one, Node ends
 * it. Who has a listener of his own is left to it.
 */
const ENDS_BY_REJECTION = `
const own = (reason) => {
  const theirs = process.listeners('unhandledRejection').filter((each) => each !== own && each.name !== 'uncaughtListener');
  if (theirs.length === 0) throw reason;
};
process.on('unhandledRejection', own);
`;

/**
 * What pm2 is started with in place of {@link ECOSYSTEM}: the same, without what pm2 would put into the program for its
 * monitoring (`pmx`). That listens for rejections and lets the process live, so that a program whose start fails (an ES module
 * with a wrong import, a main function that rejects) would be `online` for ever. `BOWLINE_RELEASE` says whose it is (strays.ts).
 */
const START = `// Written by Bowline's ota-updater: see apps/ota-updater/src/kinds/start-file.ts.
const fs = require('node:fs');
const path = require('node:path');
const config = require('./current/${ECOSYSTEM}');
const apps = [config.apps ?? config.pm2 ?? config].flat();
const ${RELEASE_TREE} = fs.realpathSync(path.join(__dirname, 'current'));
const isNode = ({ interpreter, exec_interpreter = interpreter, script = '' }) =>
  exec_interpreter === undefined ? /[.][cm]?[jt]sx?$/.test(script) : /node$/.test(exec_interpreter);
const isCluster = ({ execMode, exec_mode = execMode, instances, ...app }) =>
  exec_mode === undefined ? instances !== undefined && isNode(app) : String(exec_mode).startsWith('cluster');
const ENDS_BY_REJECTION = ${JSON.stringify(`--import=data:text/javascript,${encodeURIComponent(ENDS_BY_REJECTION)}`)};
const started = (app) => {
  const whole = { ...app, pmx: false, automation: false, env: { ...app.env, ${RELEASE_TREE} } };
  if (!isCluster(app)) return whole;
  const args = app.node_args ?? app.nodeArgs ?? app.interpreter_args ?? app.interpreterArgs ?? [];
  const given = Array.isArray(args) ? args : String(args).split(' ');
  return { ...whole, node_args: [...given, ENDS_BY_REJECTION] };
};
module.exports = { apps: apps.map(started), static: config.static ?? [] };
`;

/** @param folder of a program's releases. @returns the file that pm2 is given. */
export function startFile(folder: string): string {
  const file = join(folder, 'start.config.cjs');
  if (!existsSync(file) || readFileSync(file, 'utf8') !== START) writeFileSync(file, START);
  return file;
}
