import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { canBootMachine } from './machine.ts';
import { DEVICE_ID, MachineFleet } from './machine-fleet.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
const SLOTS = '/var/lib/bowline/releases/bowline';
const MINUTES = 60_000;
/** An update module; what it installs as 2.0.0 is not well after the boot. */
const MODULE = `#!/bin/sh
case $1 in
  NeedsArtifactReboot) echo Automatic ;;
  SupportsRollback) echo Yes ;;
  ArtifactInstall)
    [ ! -e /var/lib/flag ] || cp /var/lib/flag /var/lib/flag.before
    cp files/flag /var/lib/flag
    cat /proc/sys/kernel/random/boot_id >/var/lib/flag.boot ;;
  ArtifactVerifyReboot)
    ! cmp -s /var/lib/flag.boot /proc/sys/kernel/random/boot_id && ! grep -q 2.0.0 /var/lib/flag ;;
  ArtifactRollback) cp /var/lib/flag.before /var/lib/flag ;;
esac
`;

/** Every way, and with a Node of the release's own: takes some minutes more. */
const isAll = process.env['BOWLINE_SELF_UPDATE'] === 'all';

describe.runIf(canBootMachine())(
  'a device that updates Bowline itself (needs root, namespaces, systemd, systemd-nspawn)',
  () => {
    let fleet: MachineFleet;
    const folder = temporaryFolder();
    const whole = join(folder, 'whole');
    /** Digest in `current`, which the first update that is committed makes. */
    let standing = '';

    beforeAll(async () => {
      const tree = join(CHECKOUT, 'tools/src/build/bowline-tree.ts');
      execFileSync(process.execPath, [tree, ...(isAll ? ['--runtime'] : []), whole]);
      execFileSync('find', [whole, '-name', '*.map', '-delete']); // half of its bytes
      fleet = await MachineFleet.start({
        trial: {
          // All of Bowline starts in it, on a machine that may have much to do.
          graceMs: 15_000,
          soakMs: 1000,
          trialMaxMs: 30_000,
          linkBackMs: 3000,
          observeMs: 300,
          lookMs: 200,
        },
      });
      await fleet.makeRepository();
    }, 3 * MINUTES);

    /** A release that differs from what stands in what `change` does to its tree. */
    async function release(version: string, change: (tree: string) => void): Promise<void> {
      const tree = join(folder, version);
      cpSync(whole, tree, { recursive: true });
      writeFileSync(join(tree, 'VERSION'), version);
      change(tree);
      await fleet.release(tree, version);
    }
    const order = (version: string, name = 'bowline') =>
      fleet
        .operator('fleet', 'update', DEVICE_ID, name, version, '--sign', 'ops', '--timeout', '170s')
        .catch((error: Error) => error.message);
    const current = async () => (await fleet.machine.shell(`readlink ${SLOTS}/current || true`)).trim();
    const runs = async () =>
      (await fleet.machine.shell(`ps -eo args | grep -o '/[^ ]*/apps/ota-updater/dist/main[.]js' | sort -u`))
        .trim()
        .split('\n');
    const events = () => fleet.ask(`/v1/devices/${DEVICE_ID}/events`);
    const onTrial = () => fleet.machine.shell(`cat ${SLOTS}/trial 2>/dev/null || true`);

    test(
      'when a good release comes and the power goes within its trial, it is committed after the next boot, launcher included',
      { timeout: 4 * MINUTES },
      async () => {
        await release('0.2.0', (tree) =>
          appendFileSync(join(tree, 'deploy/launcher/launch'), '# of 0.2.0\n'),
        );
        const ended = order('0.2.0');
        await waitFor(async () => (await onTrial()).trim().endsWith(' 1'), {
          everyMs: 100,
          timeoutMs: MINUTES,
        });
        await fleet.machine.powerOff();
        await fleet.machine.boot();
        expect(await ended).toContain('succeeded');
        await waitFor(async () => (await onTrial()) === '');
        standing = await current();
        expect(standing).toMatch(/^[0-9a-f]{64}$/);
        expect(await runs()).toEqual([`${SLOTS}/${standing}/apps/ota-updater/dist/main.js`]);
        const node = await fleet.machine.shell(
          "readlink /proc/$(pgrep -f '[o]ta-updater/dist/main[.]js' | head -n 1)/exe",
        );
        const runtime = isAll ? `${SLOTS}/${standing}/runtime` : '/opt/bowline/runtime';
        expect(node).toBe(await fleet.machine.shell(`readlink -f ${runtime}`));
        const launcher = () => fleet.machine.shell('tail -n 1 /usr/lib/bowline/launch');
        await waitFor(async () => (await launcher()) === '# of 0.2.0\n', { what: 'its launcher' });
        expect(await fleet.machine.shell('ls /usr/lib/bowline')).toBe('launch\nlaunch.previous\n');
        await fleet.machine.shell('systemctl restart bowline');
        await fleet.untilReady();
        expect(await runs()).toEqual([`${SLOTS}/${standing}/apps/ota-updater/dist/main.js`]);
      },
    );

    /** The way back takes two more boots. */
    const installs: [string, string, RegExp, string][] = [
      ['is installed', '1.0.0', /succeeded/, '1.0.0'],
      ['is not well after the boot', '2.0.0', /rolled back: ArtifactVerifyReboot[^]*verify-failed/, '1.0.0'],
    ];
    test.each(installs.filter(([, version]) => isAll || version === '1.0.0'))(
      'when a release of a module %s that has the device rebooted, the boot takes place, and its end is told after it',
      { timeout: 4 * MINUTES },
      async (_, version, end, inPlace) => {
        await fleet.putModule('flag', MODULE);
        const tree = join(folder, `flag-${version}`);
        mkdirSync(join(tree, 'files'), { recursive: true });
        writeFileSync(join(tree, 'files/flag'), version);
        await fleet.release(tree, version, { name: 'flag', kind: 'module:flag' });
        const before = await fleet.machine.bootId();
        expect(await order(version, 'flag')).toMatch(end);
        expect(await fleet.machine.bootId()).not.toBe(before);
        expect(await fleet.machine.shell('cat /var/lib/flag')).toBe(inPlace);
        await fleet.untilReady();
      },
    );

    /** The engine's part in it is tried without a machine, too; BOWLINE_SELF_UPDATE=all takes every way here. */
    const ways: [string, string, RegExp, RegExp, (tree: string) => void][] = [
      [
        'never starts',
        '0.3.0',
        /never-committed/,
        /update[.]rolled-back[^]*SyntaxError/,
        (tree: string) =>
          appendFileSync(join(tree, 'node_modules/pm2/lib/binaries/Runtime4Docker.js'), '\nif then fi\n'),
      ],
      [
        'crashes',
        '0.4.0',
        /boot-loop|process-/,
        /update[.]rolled-back[^]*broken gateway/,
        (tree: string) =>
          writeFileSync(join(tree, 'apps/ws-gateway/dist/main.js'), 'throw new Error("broken gateway")'),
      ],
      [
        'hangs',
        '0.4.5',
        /never-committed/,
        /update[.]rolled-back/,
        // After it has shown that it is there, and before its trial is over.
        (tree: string) =>
          appendFileSync(
            join(tree, 'apps/ota-updater/dist/main.js'),
            '\nsetTimeout(() => { for (;;); }, 2000);\n',
          ),
      ],
      [
        'loses nothing but the link',
        '0.5.0',
        /link-lost/,
        /update[.]rolled-back/,
        (tree: string) => {
          const file = join(tree, 'deploy/ecosystem.config.cjs');
          const text = readFileSync(file, 'utf8');
          const lost = `...(app === 'ws-gateway' ? { BOWLINE_WS_GATEWAY__LINK__URL: 'ws://127.0.0.1:9/x' } : {}),`;
          writeFileSync(
            file,
            text.replace("MALLOC_ARENA_MAX: '1',", (line) => `${line} ${lost}`),
          );
        },
      ],
    ];
    test.each(ways.filter(([way]) => isAll || !['crashes', 'hangs'].includes(way)))(
      'when a release %s, the one before runs again, the server is told why, and it is not tried again',
      { timeout: 4 * MINUTES },
      async (way, version, why, said, change) => {
        await release(version, change);
        if (way === 'hangs') await fleet.setLauncher({ BOWLINE_SILENT_S: 10, BOWLINE_TRIES: 1 });
        const end = await order(version);
        expect(end).toMatch(why);
        expect(end).toContain('rolled back');
        expect(await current()).toBe(standing);
        expect(await runs()).toEqual([`${SLOTS}/${standing}/apps/ota-updater/dist/main.js`]);
        await waitFor(async () => said.test(await events()), { what: 'the event', everyMs: 200 });
        await fleet.untilReady();
        expect(await order(version)).toContain('has failed here before');
      },
    );
  },
);
