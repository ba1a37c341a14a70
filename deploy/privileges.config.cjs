'use strict';
/**
 * What each app may do, as the flags of Node's permission model and the system user that pm2 starts it as. The table for
 * people is docs/security.md; a test tries every cell of it with exactly these flags.
 *
 * The model is a seat belt (addons and SQLite reach around it); the wall is the system user, where there is one.
 */
const path = require('node:path');

/** Warnings that Node prints for the flags below, at every start. */
const QUIET = ['--disable-warning=SecurityWarning', '--disable-warning=ExperimentalWarning'];

/** A folder and what is in it. Without the star it would be its bare name for as long as it has not been made. */
const all = (folder) => path.join(folder, '*');

/**
 * Read by every app: the id of this boot, whose number the owner of the hub's folder has, and what the owner of the device
 * has laid down for all of them (trust anchor, policy), wherever their own configuration lies.
 */
const SYSTEM_FILES = ['/proc/sys/kernel/random/boot_id', '/etc/passwd', all('/etc/bowline')];

/**
 * - `user`: absent, root. - `read`, `write`: beyond the app's own code, its configuration and its state folder.
 * - `addons`: opens LMDB. - `children`: starts programs. - `threads`: runs command modules in threads. The gateway gives both up once its store is open (boot.ts).
 *
 * Node counts unix sockets as network, so all of them have it; who may reach what is for nftables/bowline.nft to say.
 */
const PRIVILEGES = {
  'ws-gateway': {
    user: 'bowline-gateway',
    // The numbers of the groups that the folders of the sockets must have.
    read: () => ['/etc/group'],
    write: ({ run }) => [all(path.join(run, 'hub')), all(path.join(run, 'sockets'))],
    addons: true,
    children: true,
  },
  // It finds what its programs have started (/proc), holds them in control groups, reads the logs for its diagnostics, finds
  // pm2's command line, and makes the socket on which programs register commands.
  'command-executor': {
    read: ({ root, log }) => [
      all('/proc'),
      '/etc/group',
      all(log),
      // Where Node looks first is asked as well, and a refusal there would end the search.
      all(path.join(root, 'apps', 'command-executor', 'node_modules')),
      all(path.join(root, 'node_modules', 'pm2')),
    ],
    write: ({ run }) => [all('/sys/fs/cgroup'), all(path.join(run, 'commands'))],
    children: true,
    threads: true,
  },
  // It measures what is mounted, wherever that is; what it may not see, its user keeps from it.
  'telemetry-collector': {
    user: 'bowline-telemetry',
    read: () => ['*'],
    write: ({ run }) => [all(path.join(run, 'ingest'))],
    // Source plug-ins.
    children: true,
  },
  // It puts trees and links in place wherever releasesDir is: Node lets only who may read and write everything make links.
  'ota-updater': { read: () => ['*'], write: () => ['*'], children: true },
  // It finds and ends what was started in a session (/proc, cgroups), and writes the last warning on its terminals.
  'ssh-broker': {
    read: () => ['/proc'],
    write: ({ run }) => [all(path.join(run, 'ssh-broker')), '/sys/fs/cgroup', '/dev/pts', '/run/sshd'],
    children: true,
  },
};

const NOTHING = () => [];

/**
 * @param app one of the device's apps; of any other nothing is said.
 * @param places `root`, `config`, `state`, `run`, `log`: the folders of ecosystem.config.cjs.
 * @returns `{ user, nodeArgs }`
 */
function privilegesOf(app, places) {
  const rights = PRIVILEGES[app];
  if (rights === undefined) return { user: undefined, nodeArgs: [] };
  const { user, read = NOTHING, write = NOTHING, addons = false, children = false, threads = false } = rights;
  const writable = [all(path.join(places.state, app)), ...write(places)];
  const hub = [all(path.join(places.run, 'hub')), all(path.join(places.run, 'sockets', app))];
  const code = all(path.join(places.root, 'apps', app, 'dist'));
  // A wide right first: after a narrow one below the same folder, Node 26 forgets the folder itself.
  const readable = [...read(places), code, all(places.config), ...hub, ...SYSTEM_FILES, ...writable];
  const nodeArgs = [
    '--permission',
    '--allow-net',
    ...(addons ? ['--allow-addons'] : []),
    ...(children ? ['--allow-child-process'] : []),
    ...(threads ? ['--allow-worker'] : []),
    ...[...new Set(readable)].map((each) => `--allow-fs-read=${each}`),
    ...writable.map((each) => `--allow-fs-write=${each}`),
    ...QUIET,
  ];
  return { user, nodeArgs };
}

module.exports = { privilegesOf };
