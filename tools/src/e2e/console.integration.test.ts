import { needs, waitFor } from '@bowline/testing';
import { openBrowser } from '@bowline/testing/browser';
import { expect, test } from 'vitest';
import { TestFleet } from './test-fleet.ts';

test.runIf(needs('chromium'))(
  'when the console is opened on a running fleet, it shows live samples, sends an order and follows a dark device',
  async () => {
    const fleet = await TestFleet.make();
    await fleet.startServer();
    await fleet.prepareDevice();
    await fleet.startDevice();
    await fleet.untilOnline();
    const browser = await openBrowser({ width: 1280, height: 800, colorScheme: 'light', timezoneId: 'UTC' });
    try {
      const page = await browser.context.newPage();
      page.setDefaultTimeout(30_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) complaints.push(message.text());
      });

      await page.goto(fleet.consoleUrl);
      await page.getByRole('heading', { name: 'demo' }).waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
      const cpu = page.getByRole('img', { name: /^CPU, .*: last / });
      await cpu.waitFor();
      const before = await cpu.getAttribute('aria-label');
      await waitFor(async () => (await cpu.getAttribute('aria-label')) !== before, {
        what: 'a newer sample',
      });

      await page.getByLabel('Command', { exact: true }).fill('ping');
      await page.getByRole('button', { name: 'Send' }).click();
      const orders = page.getByRole('region', { name: 'Orders' });
      await orders.getByText(/^received \+/).waitFor();
      await orders.getByText(/^succeeded \+/).waitFor();

      await fleet.pm2.kill();
      await page.getByText('Dark since').waitFor();
      await fleet.killServer();
      await page.getByRole('status').getByText('Not live.').waitFor();
      await fleet.startServer();
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByText('Dark since').waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);
