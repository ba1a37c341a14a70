import { execFileSync } from 'node:child_process';
import { needs, startProcess } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DeviceRoot, canInstallDevice } from './device-root.ts';

/** The world that the device sees: another network namespace at the other end of a cable. */
const WORLD = '10.73.0.1';
const WORLD6 = 'fd73::1';
const OTHER = '10.73.0.9';
const LISTENS = [443, 80, 53, 22];

const LISTEN = `
  const { createServer } = require('node:net');
  const { createSocket } = require('node:dgram');
  const open = ${JSON.stringify(LISTENS)}.map((port) => new Promise((done) =>
    createServer((socket) => socket.on('error', () => {}).end('hello')).listen(port, '::', done)));
  const udp = createSocket('udp6');
  udp.on('message', (message, { port, address }) => udp.send(message, port, address));
  open.push(new Promise((done) => udp.bind(53, '::', done)));
  Promise.all(open).then(() => console.log('listening'));`;

/** Prints what became of one attempt to reach somebody. */
const REACH = `
  const [protocol, address, port] = process.argv.slice(1);
  const say = (what) => { console.log(what); process.exit(); };
  setTimeout(() => say('no answer'), 3000);
  if (protocol === 'udp') {
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('error', ({ code }) => say(code)).on('message', () => say('reached'));
    socket.send('?', port, address, (error) => error && say(error.code));
  } else require('node:net').connect(port, address).on('error', ({ code }) => say(code)).on('data', () => say('reached'));`;

describe.runIf(canInstallDevice() && needs('nftables'))(
  'the outbound rules of an installed device (needs root, namespaces, iproute2, systemd, nftables)',
  () => {
    let device: DeviceRoot;

    beforeAll(async () => {
      device = await DeviceRoot.install();
      const world = startProcess('unshare', ['--net', process.execPath, '-e', LISTEN]);
      await world.output(/listening/);
      const inWorld = (...args: string[]) =>
        execFileSync('nsenter', ['-t', String(world.pid), '-n', ...args]);
      inWorld(
        'ip',
        'link',
        'add',
        'world',
        'type',
        'veth',
        'peer',
        'name',
        'device',
        'netns',
        String(device.pid),
      );
      for (const address of [`${WORLD}/24`, `${OTHER}/24`])
        inWorld('ip', 'addr', 'add', address, 'dev', 'world');
      inWorld('ip', 'addr', 'add', `${WORLD6}/64`, 'dev', 'world', 'nodad');
      inWorld('ip', 'link', 'set', 'world', 'up');
      await device.shell(
        'ip addr add 10.73.0.2/24 dev device; ip addr add fd73::2/64 dev device nodad; ip link set device up',
      );
      const local = `require('node:net').createServer((s) => s.end('hello')).listen(8080, '127.0.0.1')`;
      await device.shell(`setsid /opt/bowline/runtime -e "${local}" >/dev/null 2>&1 </dev/null &`);
    });

    const load = () =>
      device.run('nft', '-I', '/etc/bowline', '-f', '/opt/bowline/deploy/nftables/bowline.nft');
    async function reach(
      user: string,
      protocol: 'tcp' | 'udp',
      address: string,
      port: number,
    ): Promise<string> {
      const asUser = [
        '--reuid',
        user,
        '--regid',
        user,
        '--clear-groups',
        '/opt/bowline/runtime',
        '-e',
        REACH,
      ];
      return (await device.run('setpriv', ...asUser, protocol, address, String(port))).trim();
    }
    const refused = /^(EHOSTUNREACH|EACCES|ENETUNREACH|EPERM|ECONNREFUSED|no answer)$/;

    test('when no rules are loaded, everybody reaches everything: the attempts below are good ones', async () => {
      for (const user of ['bowline-gateway', 'bowline-telemetry']) {
        for (const port of LISTENS) expect(await reach(user, 'tcp', WORLD, port)).toBe('reached');
        expect(await reach(user, 'udp', WORLD, 53)).toBe('reached');
        expect(await reach(user, 'tcp', WORLD6, 443)).toBe('reached');
        expect(await reach(user, 'tcp', '127.0.0.1', 8080)).toBe('reached');
      }
    });

    test('when they are loaded, the gateway reaches a server and DNS and nothing else, telemetry nothing, root all', async () => {
      await load();
      await load(); // a second time replaces the first
      const gateway = 'bowline-gateway';
      expect(await reach(gateway, 'tcp', WORLD, 443)).toBe('reached');
      expect(await reach(gateway, 'tcp', WORLD6, 443)).toBe('reached');
      expect(await reach(gateway, 'tcp', WORLD, 53)).toBe('reached');
      expect(await reach(gateway, 'udp', WORLD, 53)).toBe('reached');
      expect(await reach(gateway, 'tcp', WORLD, 80)).toMatch(refused);
      expect(await reach(gateway, 'tcp', WORLD6, 22)).toMatch(refused);
      expect(await reach(gateway, 'tcp', '127.0.0.1', 8080)).toMatch(refused);

      for (const [protocol, port] of [
        ['tcp', 443],
        ['tcp', 53],
        ['udp', 53],
      ] as const) {
        expect(await reach('bowline-telemetry', protocol, WORLD, port)).toMatch(refused);
      }
      expect(await reach('bowline-telemetry', 'tcp', WORLD6, 443)).toMatch(refused);
      expect(await reach('bowline-telemetry', 'tcp', '127.0.0.1', 8080)).toMatch(refused);

      expect(await reach('root', 'tcp', WORLD, 22)).toBe('reached');
    });

    test('when the settings name the server’s address, the gateway reaches no other', async () => {
      await device.shell(
        `sed -i 's#^define servers4 .*#define servers4 = { ${WORLD} }#' /etc/bowline/bowline-settings.nft`,
      );
      await load();
      expect(await reach('bowline-gateway', 'tcp', WORLD, 443)).toBe('reached');
      expect(await reach('bowline-gateway', 'tcp', OTHER, 443)).toMatch(refused);
    });
  },
);
