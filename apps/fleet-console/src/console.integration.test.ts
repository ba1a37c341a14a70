import { needs, waitFor } from '@bowline/testing';
import type { Device, SshSession } from '@bowline/messages';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { openConsole, startFakeServer } from './testing/console-page.ts';
import { newOrder, type FakeFleetServer } from './testing/fake-fleet-server.ts';
import { fillFleet, sampleRollout } from './testing/sample-fleet.ts';

const device = (more: Partial<Device> = {}): Device => ({
  deviceId: 'demo',
  name: 'Demo device',
  groups: [],
  online: true,
  since: Date.now() - 60_000,
  lastSeenAt: Date.now() - 1_000,
  alarms: [],
  ...more,
});

async function serverWith(...devices: Device[]): Promise<FakeFleetServer> {
  const server = await startFakeServer();
  for (const each of devices) server.putDevice(each);
  return server;
}

const live = (page: Page) => page.getByText('Live', { exact: true }).waitFor();

describe.runIf(needs('chromium'))('the console in a browser', () => {
  describe('signing in', () => {
    test('when the address carries a token, it is used and then gone from the address', async () => {
      const server = await serverWith(device());
      const { page, complaints } = await openConsole(server, `#token=${server.token}&device=demo`);
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      expect(page.url()).toBe(`${server.origin}/#/demo`);
      await page.getByText('admin', { exact: false }).first().waitFor();
      const readable = await page.evaluate(() =>
        JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
      );
      expect(readable).not.toContain(server.token);
      for (const id of server.sessions.keys()) expect(readable).not.toContain(id);
      await page.reload();
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      expect(complaints).toEqual([]);
    });

    test('when there is no token, a form asks for one and says where it is', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server, '');
      await page.getByText('cat .bowline/server/operator-token').waitFor();
      await page.getByLabel('Operator token').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText('This token is not known here.').waitFor();
      await page.getByLabel('Operator token').fill(server.token);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Operator token').waitFor();
      await waitFor(() => server.sessions.size === 0, { what: 'the end of the session' });
      expect(await page.evaluate(() => localStorage.getItem('bowline.csrf'))).toBeNull();
      await page.reload();
      await page.getByLabel('Operator token').waitFor();
    });

    test('when a link with a token is pasted into the open page, the page signs in with it', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server, '');
      await page.getByLabel('Operator token').waitFor();
      await page.goto(`${server.origin}/#token=${server.token}`);
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      expect(page.url()).not.toContain(server.token);
    });
  });

  describe('history on the device', () => {
    test('when it is asked for, the order is given, its answer drawn with its gap, and a refusal told', async () => {
      const server = await startFakeServer();
      fillFleet(server, Date.now());
      const { page, complaints } = await openConsole(server, `#token=${server.token}&device=demo`);
      const panel = page.getByRole('region', { name: 'History on the device' });
      await panel.getByLabel('Series').selectOption('system.cpu.utilization');
      await panel.getByLabel('Time').selectOption({ label: 'last 24 hours' });
      await panel.getByRole('button', { name: 'Ask the device' }).click();
      await panel.getByText('Waiting for the device…').waitFor();
      const [sent] = server.sent as { payload: { from: number; to: number } }[];
      const { from = 0, to = 0, ...rest } = sent?.payload ?? {};
      expect(rest).toEqual({ kind: 'telemetry', series: ['system.cpu.utilization'], resolutionMs: 300_000 });
      expect(to - from).toBe(86_400_000);
      const rows = Array.from({ length: 288 }, (_, index) => [from + index * 300_000, 0.1, 0.9, 0.5, 60]);
      const points = rows.filter((_, index) => index < 100 || index > 160);
      const [given] = server.orders;
      server.answers.set(given?.orderId ?? '', [{ series: 'system.cpu.utilization', unit: '1', points }]);
      await panel.getByText(/227 points\. A break in the line .*; the shade reaches/).waitFor();
      await panel.locator('canvas').waitFor();
      // Not the mean alone: what one looks for in a year are its peaks.
      await panel.getByRole('img', { name: /last 50 %, between 10 % and 90 %, 1 gap$/ }).waitFor();
      await panel.locator('.u-over').hover({ position: { x: 40, y: 20 } });
      await panel.getByText('10 % to 90 %').waitFor();

      await panel.getByLabel('Time').selectOption({ label: 'last year' });
      await panel.getByRole('button', { name: 'Ask the device' }).click();
      await panel.getByText('Waiting for the device…').waitFor();
      const refused = server.orders.at(0);
      if (refused !== undefined)
        server.putOrder({ ...refused, status: 'rejected', error: { code: 'x', message: 'too large' } });
      await panel.getByText('The order ended rejected: too large.').waitFor();
      expect(complaints).toEqual([]);
    });
  });

  describe('what a role may', () => {
    test('when a viewer is signed in, all is shown and no order can be sent', async () => {
      const server = await startFakeServer();
      server.role = 'viewer';
      fillFleet(server, Date.now());
      const { page } = await openConsole(server);
      await page.getByText('Your role may look, but not send orders.').waitFor();
      await page.getByTitle('You are admin, with the role viewer').waitFor();
      expect(await page.getByRole('button', { name: 'Send' }).count()).toBe(0);
      expect(await page.getByRole('button', { name: /^Cancel order/ }).count()).toBe(0);
    });

    test('when an operator’s fleet is empty, it says who makes tokens', async () => {
      const server = await startFakeServer();
      server.role = 'operator';
      const { page } = await openConsole(server);
      await page.getByText('ask an admin for one').waitFor();
      expect(await page.getByRole('button', { name: 'Make a token' }).count()).toBe(0);
    });
  });

  describe('the fleet', () => {
    test('when a device is dark, it comes first, with since when and what is stuck', async () => {
      const server = await startFakeServer();
      fillFleet(server, Date.now());
      const { page, complaints } = await openConsole(server);
      const list = page.getByRole('navigation', { name: 'Devices' });
      await list.getByText('Press 4, hall B').waitFor();
      expect(await list.getByRole('link').first().innerText()).toMatch(
        /Press 4, hall B[^]*dark 27 min[^]*since/,
      );
      const concerns = page.getByRole('list', { name: 'Needs attention' });
      expect(await concerns.getByRole('listitem').first().innerText()).toMatch(
        /No contact for 27 min since \d\d/,
      );
      await concerns
        .getByText('Order service.restart was running on the device when contact was lost')
        .waitFor();
      expect(await page.title()).toBe('1 dark · Bowline');
      expect(complaints).toEqual([]);
    });

    test('when a device goes dark and comes back, the page follows by itself', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await page.getByText('Online since').waitFor();
      await live(page);
      server.putDevice(device({ online: false, since: Date.now() }));
      await page.getByText('Dark since').waitFor();
      server.putDevice(device({ since: Date.now() }));
      await page.getByText('Online since').waitFor();
    });

    test('when there are no devices, it says how to enrol one, with a token', async () => {
      const server = await startFakeServer();
      const { page } = await openConsole(server);
      await page.getByRole('button', { name: 'Make a token' }).click();
      const commands = page.getByLabel('Commands that enrol a device');
      await commands.getByText('SECRET.THUMBPRINT').waitFor();
      expect(await commands.innerText()).toContain(`--enrolment.server=${server.origin}`);
      server.putDevice(device());
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
    });

    test('when another zone is chosen, all times are in it', async () => {
      const since = Date.UTC(2026, 0, 15, 23, 30, 0);
      const server = await serverWith(device({ since }));
      const { page } = await openConsole(server);
      await page.getByRole('main').getByText('2026-01-16 00:30:00').waitFor();
      await page.getByLabel('Times in').selectOption('UTC');
      await page.getByRole('main').getByText('2026-01-15 23:30:00').waitFor();
    });
  });

  describe('orders', () => {
    test('when a command is sent, each of its steps shows as it happens', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      await page.getByLabel('Command', { exact: true }).fill('log.collect');
      await page.getByLabel('Parameters, JSON').fill('{"lines": 5}');
      await page.getByLabel('Expires in').selectOption('5 min');
      await page.getByRole('button', { name: 'Send' }).click();
      const orders = page.getByRole('region', { name: 'Orders' });
      await orders.getByText('queued', { exact: true }).waitFor();
      expect(server.sent).toEqual([
        { type: 'command', payload: { name: 'log.collect', params: { lines: 5 } }, expiresInMs: 300_000 },
      ]);

      const [order] = server.orders;
      const at = order!.createdAt;
      const step = (status: 'sent' | 'received' | 'started' | 'succeeded', ms: number, attempt: number) => {
        order!.history.push({ status, at: at + ms, receivedAt: at + ms, attempt });
        order!.status = status;
        server.putOrder(structuredClone(order!));
      };
      step('sent', 3, 0);
      step('received', 15, 0);
      step('started', 20, 1);
      await orders.getByText('started +5 ms').waitFor();
      const data = {
        phase: 'fetching',
        bytes: 2048,
        totalBytes: 4096,
        bytesPerSecond: 1024,
        remainingSeconds: 2,
      };
      Object.assign(order!, { progress: { percent: 40, note: 'reading the journal', data } });
      server.putOrder(structuredClone(order!));
      await orders.getByText('reading the journal').waitFor();
      await orders.getByText('fetching, 2 KiB of 4 KiB, 1 KiB/s, 2 s left').waitFor();
      expect(await orders.getByRole('progressbar').getAttribute('value')).toBe('40');
      expect(await orders.getByRole('button', { name: 'Cancel order log.collect' }).count()).toBe(1);
      Object.assign(order!, { result: { lines: 5 } });
      step('succeeded', 1_440, 1);
      await orders.getByText('succeeded +1.42 s').waitFor();
      expect(await orders.getByRole('button', { name: 'Cancel order log.collect' }).count()).toBe(0);

      await orders.getByRole('button', { name: /succeeded log.collect/ }).press('Enter');
      await orders.getByLabel('Result').getByText('"lines": 5').waitFor();
    });

    test('when an update has failed, what the program wrote last is shown, and that the device is degraded', async () => {
      const server = await serverWith(device());
      const order = newOrder('demo', 1, { type: 'softwareUpdate', payload: { order: 'x.y.z' } });
      order.status = 'failed';
      order.error = { code: 'boot-loop', message: 'rolled back: its process was restarted 3 times' };
      order.result = {
        log: ['Error: no licence', '    at start (app.js:3)'],
        degraded: 'its process is down',
      };
      server.putOrder(order);
      const { page } = await openConsole(server);
      const orders = page.getByRole('region', { name: 'Orders' });
      await orders.getByRole('button', { name: /failed softwareUpdate/ }).press('Enter');
      const last = orders.getByLabel('Written last by what failed');
      expect(await last.innerText()).toBe('Error: no licence\n    at start (app.js:3)');
      await orders.getByText('The device is degraded: its process is down').waitFor();
    });

    test('when the input is wrong, it says why and sends nothing', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await page.getByLabel('Command', { exact: true }).fill('ping');
      await page.getByLabel('Parameters, JSON').fill('{lines: 5}');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByRole('alert').getByText('This is not JSON').waitFor();
      expect(
        await page.getByLabel('Parameters, JSON').evaluate((box) => box === document.activeElement),
      ).toBe(true);
      expect(server.sent).toEqual([]);
    });

    test('when the server refuses, its words are shown and what was typed stays', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      server.refuse = {
        path: /orders$/,
        status: 409,
        code: 'too-many-orders',
        detail: 'The device has 1,000 orders waiting.',
      };
      await page.getByLabel('Command', { exact: true }).fill('ping');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('The device has 1,000 orders waiting.', { exact: true }).waitFor();
      expect(await page.getByLabel('Command', { exact: true }).inputValue()).toBe('ping');
    });

    test('when an order that waits is cancelled, the server is told', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      await page.getByLabel('Command', { exact: true }).fill('ping');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByRole('button', { name: 'Cancel order ping' }).click();
      await waitFor(() => server.cancelled.length, { what: 'the cancel' });
      expect(server.cancelled).toEqual([server.orders[0]!.orderId]);
    });

    test('when an order was called off before its device had it, the page says so in grey and offers no cancel', async () => {
      const server = await serverWith(device({ online: false }));
      const { page } = await openConsole(server);
      await live(page);
      const waiting = newOrder('demo', 1, { type: 'command', payload: { name: 'ping', params: {} } });
      server.putOrder(waiting);
      await page.getByRole('button', { name: 'Cancel order ping' }).waitFor();
      const error = { code: 'withdrawn', message: 'the order was called off' };
      server.putOrder({ ...waiting, expiresAt: Date.now() - 1, error });
      const row = page.locator('.order', { hasText: 'ping' });
      const badge = row.getByText('withdrawn', { exact: true }).first();
      await badge.waitFor();
      const colourOf = (selector: string) =>
        page
          .locator(selector)
          .first()
          .evaluate((each) => getComputedStyle(each).color);
      expect(await badge.getAttribute('class')).toBe('badge badge-quiet');
      expect(await colourOf('.order-error')).toBe(await colourOf('.order-params'));
      expect(await page.getByRole('button', { name: 'Cancel order ping' }).count()).toBe(0);
      expect(await page.getByText('has passed its expiry').count()).toBe(0);
    });
  });

  describe('access by ssh', () => {
    const session = (more: Partial<SshSession> = {}): SshSession => ({
      sessionId: 's-1',
      deviceId: 'demo',
      operator: 'ada',
      user: 'support',
      reason: 'the pump is silent',
      createdAt: Date.now() - 60_000,
      expiresAt: Date.now() + 600_000,
      streams: 3,
      ready: true,
      openStreams: 1,
      opened: 1,
      bytesUp: 0,
      bytesDown: 2048,
      ...more,
    });

    test('when sessions are open, those of the device are shown, and one is ended with a click', async () => {
      const server = await serverWith(device());
      server.sshSessions.push(session(), session({ sessionId: 's-2', deviceId: 'other', operator: 'eve' }));
      const { page, complaints } = await openConsole(server);
      const panel = page.getByRole('region', { name: 'Access by ssh' });
      const row = panel.getByRole('listitem');
      await row.getByText('ada as support: the pump is silent').waitFor();
      await row.getByText(/ends in 9 min · 1 of 3 connections · 2 KiB so far/).waitFor();
      expect(await row.count()).toBe(1);
      server.refuse = { path: /end$/, status: 403, code: 'forbidden', detail: 'Ask an operator.' };
      await panel.getByRole('button', { name: 'End the session of ada as support' }).click();
      await panel.getByRole('alert').getByText('Ask an operator.').waitFor();
      server.refuse = undefined;
      await panel.getByRole('button', { name: 'End the session of ada as support' }).click();
      await panel.getByText('No session is open.').waitFor();
      expect(server.sshSessions).toMatchObject([{ sessionId: 's-2' }]);
      expect(complaints).toEqual([]);
    });

    test('when there is a signer, the way leads to its page, with the device; the page itself sends it nothing', async () => {
      const server = await serverWith(device());
      server.signerUrl = 'https://signer.example';
      const { page } = await openConsole(server);
      const link = page.getByRole('link', { name: 'Request access' });
      expect(await link.getAttribute('href')).toBe('https://signer.example/access?device=demo');
      expect(await link.getAttribute('rel')).toBe('noopener noreferrer');
      expect(await link.getAttribute('target')).toBe('_blank');
      await page.getByText('npx bowline ssh --signer https://signer.example demo').waitFor();
    });

    test('when there is none, or the role does not allow it, the page does not offer it', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await page.getByText('npx bowline ssh demo --reason').waitFor();
      expect(await page.getByRole('link', { name: 'Request access' }).count()).toBe(0);
      server.signerUrl = 'https://signer.example';
      server.role = 'viewer';
      server.sshSessions.push(session());
      const { page: viewer } = await openConsole(server);
      await viewer.getByText('ada as support').waitFor();
      expect(await viewer.getByRole('link', { name: 'Request access' }).count()).toBe(0);
      expect(await viewer.getByRole('button', { name: /^End the session/ }).count()).toBe(0);
    });
  });

  describe('rollouts', () => {
    async function rollouts(change: (server: FakeFleetServer) => void = () => {}) {
      const server = await serverWith(device());
      change(server);
      const opened = await openConsole(server);
      await live(opened.page);
      await opened.page.getByRole('link', { name: 'Rollouts' }).click();
      await opened.page.getByRole('heading', { name: 'Rollouts' }).waitFor();
      return { server, ...opened };
    }

    test('when there are some, each says its share, where its devices stand and why it is held up, and goes on to', async () => {
      const { server, page, complaints } = await rollouts((each) => {
        each.rollouts.push(
          sampleRollout({ rolloutId: 'old', version: '2.3.0', status: 'stopped', why: 'by eve' }),
          sampleRollout(),
        );
        const failure = { orderId: 'o', code: 'probe-failed', message: 'no answer on 7460', at: Date.now() };
        each.rolloutFailures.push({ deviceId: 'demo', ...failure });
      });
      expect(await page.getByRole('heading', { level: 2 }).allInnerTexts()).toEqual([
        'press-control 2.4.0 to presses',
        'press-control 2.3.0 to presses',
      ]);
      const panel = page.getByRole('region', { name: 'press-control 2.4.0 to presses' });
      await panel.getByText('10 % of the group: 124 of 1,200 devices').waitFor();
      const parts = () =>
        panel.getByRole('list', { name: 'Its devices' }).getByRole('listitem').allInnerTexts();
      expect(await parts()).toEqual(['80 done', '2 failed', '9 under way', '0 called off', '33 waiting']);
      await panel.getByText('Failed on 2 devices').click();
      await panel.getByText('no answer on 7460').waitFor();

      server.rollouts[1] = sampleRollout({
        status: 'paused',
        why: '7 of 124 devices failed: probe-failed 7',
        given: 4,
        failed: 7,
      });
      await panel.getByText('Paused: 7 of 124 devices failed: probe-failed 7').waitFor();
      expect(await parts()).toEqual(['80 done', '7 failed', '4 under way', '0 called off', '33 waiting']);
      await panel.getByText('npx bowline fleet rollout go-on press-control-2.4.0 --sign KEY').waitFor();
      await panel.getByText('npx bowline fleet rollout widen press-control-2.4.0 25 --sign KEY').waitFor();
      expect(await panel.getByRole('button', { name: /^Pause/ }).count()).toBe(0);
      await panel.getByRole('link', { name: 'demo' }).click();
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      expect(complaints).toEqual([]);
    });

    test('when one reaches no device, it says why', async () => {
      const none = { given: 0, succeeded: 0, failed: 0, recalled: 0, devices: 0 };
      const { page } = await rollouts((each) => {
        each.rollouts.push(sampleRollout({ ...none, rolloutId: 'a', group: 'pumsp', groupDevices: 0 }));
        each.rollouts.push(sampleRollout({ ...none, rolloutId: 'b', groupDevices: 3, percent: 1 }));
      });
      await page.getByText('Nobody is given it: no device is in the group pumsp yet').waitFor();
      await page.getByText('Nobody is given it: 1 % of 3 devices is none of them').waitFor();
    });

    test('when one is paused or stopped here, that takes a second click, and its reason is told to the others', async () => {
      const { server, page } = await rollouts((each) => each.rollouts.push(sampleRollout()));
      await page.getByRole('button', { name: 'Pause the rollout press-control-2.4.0' }).click();
      await page.getByRole('button', { name: 'Leave it' }).click();
      expect(server.rollouts[0]?.status).toBe('running');
      await page.getByRole('button', { name: 'Pause the rollout press-control-2.4.0' }).click();
      await page.getByLabel('Reason, for the others').fill('support calls');
      server.refuse = { path: /pause$/, status: 503, code: 'busy', detail: 'The store is busy.' };
      await page.getByRole('button', { name: 'Pause now' }).click();
      await page.getByRole('alert').getByText('The store is busy.').waitFor();
      server.refuse = undefined;
      await page.getByRole('button', { name: 'Pause now' }).click();
      await page.getByText('Paused: by admin: support calls').waitFor();
      await page.getByRole('button', { name: 'Stop the rollout press-control-2.4.0' }).click();
      await page.getByRole('button', { name: 'Stop for good' }).click();
      await page.getByText('Stopped: by admin').waitFor();
      expect(await page.getByRole('button', { name: /rollout/ }).count()).toBe(0);
      expect(await page.getByText('npx bowline').count()).toBe(0);
    });

    test('when the role allows no more, they are only shown; when there are none, it is said how to begin one', async () => {
      const { server, page } = await rollouts((each) => (each.role = 'viewer'));
      await page.getByText('npx bowline fleet rollout start NAME VERSION').waitFor();
      server.rollouts.push(sampleRollout());
      await page.getByText('80 done').waitFor();
      expect(await page.getByRole('button', { name: /rollout/ }).count()).toBe(0);
      expect(await page.getByText('npx bowline').count()).toBe(0);
      server.refuse = {
        path: /rollouts$/,
        status: 500,
        code: 'internal',
        detail: 'The store is being repaired.',
      };
      await page.getByText('The rollouts could not be loaded: The store is being repaired.').waitFor();
    });
  });

  describe('measurements', () => {
    test('when there are samples, the usual charts are drawn and tell their values, gaps included', async () => {
      const server = await startFakeServer();
      fillFleet(server, Date.now());
      const { page } = await openConsole(server, `#token=${server.token}&device=demo`);
      const cpu = page.getByRole('img', {
        name: /^CPU, over 15 min\. CPU: last \d.* %, between .* and .*, 1 gap/,
      });
      await cpu.locator('canvas').waitFor();
      await page.getByRole('img', { name: /^Network, .*eth0:receive: last .* KiB\/s/ }).waitFor();
      await page.getByRole('img', { name: /^Temperature, .* °C/ }).waitFor();
      expect(await page.getByRole('img').count()).toBe(6);
    });

    test('when a sample arrives, the chart shows it', async () => {
      const server = await serverWith(device());
      const at = Date.now();
      server.putSamples('demo', 'system.cpu.utilization', [{ at: at - 5_000, value: 0.25 }], '1');
      const { page } = await openConsole(server);
      await page.getByRole('img', { name: /last 25 %/ }).waitFor();
      await live(page);
      server.putSamples('demo', 'system.cpu.utilization', [{ at, value: 0.75 }], '1');
      await page.getByRole('img', { name: /last 75 %, between 25 % and 75 %/ }).waitFor();
    });

    test('when a series of the user is chosen, it gets a chart', async () => {
      const server = await startFakeServer();
      fillFleet(server, Date.now());
      const { page } = await openConsole(server, `#token=${server.token}&device=demo`);
      await page.getByText('All 10 series').click();
      await page.getByRole('button', { name: 'Chart press.force', exact: true }).click();
      await page.getByRole('img', { name: /^press\.force, .* kN/ }).waitFor();
    });

    test('when a device has sent nothing yet, it says where to look', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await page.getByText('npx bowline logs telemetry-collector').waitFor();
    });
  });

  describe('bad moments', () => {
    test('when the server goes away, the page says that it is old; when it is back, what was missed is there', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      await server.stop();
      const notice = page.getByRole('status');
      await notice.getByText('Not live.').waitFor();
      expect(await notice.innerText()).toMatch(/What you see was true at .*\d\d:\d\d:\d\d/);
      server.devices.set('late', device({ deviceId: 'late', name: 'Enrolled meanwhile' }));
      await server.start();
      await live(page);
      await page.getByText('Enrolled meanwhile').waitFor();
      await notice.getByText('Not live.').waitFor({ state: 'detached' });
    });

    test('when the session ends meanwhile, each tab asks for a token and says why; one sign-in is for all', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      const { page: second } = await openConsole(server, '');
      await live(second);
      server.sessions.clear();
      await server.stop();
      await server.start();
      await page.getByRole('alert').getByText('The session has ended.').waitFor();
      await second.getByRole('alert').getByText('The session has ended.').waitFor();
      await page.getByLabel('Operator token').fill(server.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await live(page);
      await second.reload();
      await live(second);
    });

    test('when the token is revoked meanwhile, the page asks for another and says why', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      server.refuse = { path: /./, status: 401, code: 'unauthorized', detail: 'This token was revoked.' };
      await server.stop();
      await server.start();
      await page.getByRole('alert').getByText('This token was revoked.').waitFor();
    });

    test('when the server sends what breaks the contract, that is told and all else goes on', async () => {
      const server = await serverWith(device());
      const { page } = await openConsole(server);
      await live(page);
      server.pushRaw('device', '{"deviceId": 7}');
      server.pushRaw('order', 'not json');
      await page.getByText('2 message(s) of the server could not be read').waitFor();
      server.pushRaw('newer-kind', '{}');
      server.putDevice(device({ online: false, since: Date.now() }));
      await page.getByText('Dark since').waitFor();
    });

    test('when samples cannot be loaded, the charts say so instead of that there are none', async () => {
      const server = await serverWith(device());
      const sample = { at: Date.now() - 5_000, value: 0.25 };
      server.putSamples('demo', 'system.cpu.utilization', [sample], '1');
      server.refuse = { path: /telemetry$/, status: 503, code: 'busy', detail: 'The store is busy.' };
      const { page } = await openConsole(server);
      await page.getByText('Could not be loaded').waitFor();
      server.refuse = undefined;
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('img', { name: /last 25 %/ }).waitFor();
    });

    test('when part of the answers fail, the rest is shown and it can be tried again', async () => {
      const server = await serverWith(device());
      server.refuse = {
        path: /events$/,
        status: 500,
        code: 'internal',
        detail: 'The store is being repaired.',
      };
      const { page } = await openConsole(server);
      await page.getByText('Not everything could be loaded: The store is being repaired.').waitFor();
      await page.getByRole('heading', { name: 'Demo device' }).waitFor();
      server.refuse = undefined;
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByText('No orders yet.').waitFor();
    });
  });
});
