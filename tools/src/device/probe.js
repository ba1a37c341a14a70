/**
 * Runs inside a process under test (probe.ts) and tries what an app may or may not do. It ends the process with one line on
 * standard output, `PROBED` and the outcome of each attempt: `done`, or the code of the refusal. APP and WAIT_FOR_STORE are
 * put in front of it.
 */
import fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { DatabaseSync } from 'node:sqlite';

const apps = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker'];
const others = apps.filter((each) => each !== APP);
const results = {};

const codeOf = (error) => (error instanceof Error && 'code' in error ? String(error.code) : String(error));
const attempt = (name, action) => {
  try {
    action();
    results[name] = 'done';
  } catch (error) {
    results[name] = codeOf(error);
  }
};
const read = (file) => () => fs.closeSync(fs.openSync(file, 'r'));
const write = (file) => () => fs.closeSync(fs.openSync(file, 'a'));

async function probe() {
  results['identity'] = [process.getuid?.(), process.getgid?.(), process.getgroups?.()].join(' ');
  attempt('read own code', read(`/opt/bowline/apps/${APP}/dist/main.js`));
  attempt('read own configuration', read(`/etc/bowline/${APP}.json`));
  attempt('write own state', write(`/var/lib/bowline/${APP}/probe`));
  attempt('write code', write(`/opt/bowline/apps/${APP}/dist/main.js`));
  attempt('write configuration', write(`/etc/bowline/${APP}.json`));
  attempt('write policy', write('/etc/bowline/policy.json'));
  attempt('write its log', write(`/var/lib/bowline/logs/${APP}.log`));
  for (const other of others) {
    attempt(`read state of ${other}`, read(`/var/lib/bowline/${other}/secret`));
    attempt(`write state of ${other}`, write(`/var/lib/bowline/${other}/secret`));
    // Node's model does not see what SQLite opens.
    attempt(`SQLite in the state of ${other}`, () => new DatabaseSync(`/var/lib/bowline/${other}/secret.db`));
  }
  attempt('read what all users may', read('/etc/hostname'));
  attempt('read shadow', read('/etc/shadow'));
  attempt('look for processes', () => fs.readdirSync('/proc'));
  attempt('load an addon', () => {
    const gateway = '/opt/bowline/apps/ws-gateway/dist/prebuilds';
    process.dlopen({ exports: {} }, `${gateway}/linux-${process.arch}/node.napi.glibc.node`);
  });
  attempt('start a program', () => {
    const { error } = spawnSync('/bin/true');
    if (error !== undefined) throw error;
  });
  attempt('start a thread', () => new Worker('', { eval: true }));
  attempt('signal a process of root', () => process.kill(1, 0));
  results["connect to pm2's daemon"] = await new Promise((done) => {
    const socket = connect('/run/bowline/pm2/rpc.sock');
    socket.once('connect', () => done('done'));
    socket.once('error', (error) => done(codeOf(error)));
  });
  fs.writeSync(1, `\nPROBED ${JSON.stringify(results)}\n`);
  process.exit();
}

// The app itself starts when this module is done: what it gives up later is waited for beside it.
if (WAIT_FOR_STORE) {
  const looking = setInterval(() => {
    if (process.permission.has('child')) return;
    clearInterval(looking);
    void probe();
  }, 20);
} else await probe();
