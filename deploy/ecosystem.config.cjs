'use strict';
/**
 * What pm2 keeps running: the five processes of a device, on a device and in the demo (`npm start`) alike. docs: README.md.
 *
 * Paths come from the environment of whoever calls pm2; the defaults are those of an installed device.
 *
 * | variable | default | what |
 * |---|---|---|
 * | BOWLINE_ROOT | the folder above this file | holds `apps/APP/dist/main.js` and `runtime` |
 * | BOWLINE_RUNTIME | ROOT/runtime | link to the pinned Node; its name must not end in `node` |
 * | BOWLINE_CONFIG_DIR | /etc/bowline | `APP.json`, the configuration of each app |
 * | BOWLINE_STATE_DIR | /var/lib/bowline | `APP/`, the only folder of the disk that an app may write |
 * | BOWLINE_RUN_DIR | /run/bowline | `hub/`, `sockets/`, `ssh-broker/` |
 * | BOWLINE_SINGLE_USER | unset | `1`: every app runs as whoever calls pm2, as in the demo; else as its own user (privileges.config.cjs) |
 * | BOWLINE_LOG_DIR | /var/lib/bowline/logs | `APP.log`: what the app writes, one JSON object a line; `APP.stderr.log`: what a crash leaves |
 * | BOWLINE_INSTANCE | unset | marks every process, so that whoever started them knows them again |
 * | BOWLINE_FLEET_SERVER | unset | `1`: the reference server too, as the demo does |
 * | BOWLINE_LOGROTATE_CONF | unset | configuration of logrotate, to have it run from here (a device has logrotate.timer) |
 * | BOWLINE_RESTART_DELAY_MS | 100 | first delay before a restart |
 */
const path = require('node:path');
const { privilegesOf } = require('./privileges.config.cjs');

const { env } = process;
const root = env.BOWLINE_ROOT || path.dirname(__dirname);
const runtime = env.BOWLINE_RUNTIME || path.join(root, 'runtime');
const configDir = env.BOWLINE_CONFIG_DIR || '/etc/bowline';
const logDir = env.BOWLINE_LOG_DIR || '/var/lib/bowline/logs';
const runDir = env.BOWLINE_RUN_DIR || '/run/bowline';
const pm2Home = env.PM2_HOME || '/run/bowline/pm2';
const places = {
  root,
  config: configDir,
  state: env.BOWLINE_STATE_DIR || '/var/lib/bowline',
  run: runDir,
  log: logDir,
};
const singleUser = env.BOWLINE_SINGLE_USER === '1';

/** Resident memory at which pm2 restarts the process; it looks every 30 s. A leak costs a restart, never the device. */
const MEMORY_LIMITS = {
  'ws-gateway': '256M',
  // 160M of its own, and 64 MiB of heap for each of 8 command modules (its `moduleMemoryBytes` and `maxModules`).
  'command-executor': '672M',
  'telemetry-collector': '192M',
  'ota-updater': '256M',
  'ssh-broker': '160M',
};

/** All that an app inherits. pm2 would hand on everything that the caller's shell had exported. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'BOWLINE_INSTANCE'];

/** pm2 drops each variable of its caller whose name contains one of these texts. `true` would be ignored (pm2 7.0.4). */
const NOTHING_FROM_THE_CALLER = [''];

function environmentOf(app) {
  const settings = `BOWLINE_${app.replaceAll('-', '_').toUpperCase()}__`;
  const inherited = Object.entries(env).filter(
    ([name]) => INHERITED.includes(name) || name.startsWith(settings),
  );
  return {
    // Keys of sessions never touch a disk.
    ...(app === 'ssh-broker' ? { BOWLINE_SSH_BROKER__RUN_FOLDER: path.join(runDir, app) } : {}),
    ...Object.fromEntries(inherited),
    // Fewer arenas of malloc: 3 MB less in each process.
    MALLOC_ARENA_MAX: '1',
  };
}

function entry(app, memoryLimit) {
  const log = path.join(logDir, `${app}.log`);
  const { user, nodeArgs } = privilegesOf(app, places);
  return {
    name: app,
    // pm2 looks the name up, takes that user's own group and no other, and refuses a user that is not there.
    ...(user === undefined || singleUser ? {} : { user }),
    script: path.join(root, 'apps', app, 'dist', 'main.js'),
    args: ['--config', path.join(configDir, `${app}.json`)],
    cwd: '/',
    interpreter: runtime,
    // A small young generation halves the resident memory under load at no loss of speed.
    node_args: ['--max-semi-space-size=4', '--enable-source-maps', ...nodeArgs],
    exec_mode: 'fork',
    filter_env: NOTHING_FROM_THE_CALLER,
    env: environmentOf(app),

    // A crash is followed by a restart after 100 ms, 150 ms … 15 s (pm2's cap); 30 s of life start the row anew.
    // pm2 gives up for good (`errored`) after `max_restarts` short lives: no number of them is enough. Not Infinity:
    // it would travel to the daemon as null and be reached at once.
    autorestart: true,
    exp_backoff_restart_delay: Number(env.BOWLINE_RESTART_DELAY_MS || 100),
    max_restarts: Number.MAX_SAFE_INTEGER,
    max_memory_restart: memoryLimit,

    // Online means that the app said so. An app that never does is shown online after `listen_timeout` all the same.
    wait_ready: true,
    listen_timeout: 20_000,
    // SIGINT, then SIGKILL; the apps bound their own stop at 8 s. Only the app itself is signalled: it ends what it
    // started in its own order, and pm2's list of a process's children is one of pids that may be others' by now.
    kill_timeout: 10_000,
    treekill: false,

    // The apps write whole lines of JSON; pm2 must add nothing to them.
    out_file: log,
    error_file: path.join(logDir, `${app}.stderr.log`),
    merge_logs: true,

    pmx: false,
    vizion: false,
    watch: false,
  };
}

/**
 * `bowline upkeep`, which pm2 starts every minute and which ends at once (pm2 shows it as `stopped` in between): it starts
 * again what pm2 itself has lost, and has the logs rotated where nobody else does.
 */
function upkeepEntry() {
  const log = path.join(logDir, 'upkeep.log');
  const rotation = env.BOWLINE_LOGROTATE_CONF ? ['--rotate', env.BOWLINE_LOGROTATE_CONF] : [];
  return {
    name: 'upkeep',
    namespace: 'upkeep',
    script: path.join(root, 'apps', 'cli', 'dist', 'main.js'),
    args: ['upkeep', '--pm2-home', pm2Home, ...rotation],
    cwd: '/',
    interpreter: runtime,
    exec_mode: 'fork',
    filter_env: NOTHING_FROM_THE_CALLER,
    env: environmentOf('upkeep'),
    autorestart: false,
    cron_restart: '* * * * *',
    kill_timeout: 10_000,
    treekill: false,
    out_file: log,
    error_file: log,
    merge_logs: true,
    pmx: false,
    vizion: false,
    watch: false,
  };
}

const apps = Object.entries(MEMORY_LIMITS).map(([app, limit]) => entry(app, limit));
if (env.BOWLINE_FLEET_SERVER === '1') apps.unshift(entry('fleet-server', '512M'));
apps.push(upkeepEntry());

module.exports = { apps };
