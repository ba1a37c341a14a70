import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { needs } from '@bowline/testing';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { openConsole, startFakeServer } from './testing/console-page.ts';
import { fillFleet, sampleRollout } from './testing/sample-fleet.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const STANDARD = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe-core finds against WCAG 2.2 AA: names, roles, contrast, order of headings. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async (standard) => {
    type Axe = { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    const { axe } = globalThis as unknown as { axe: Axe };
    const found = await axe.run({ runOnly: standard });
    return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  }, STANDARD);
}

/** By how many pixels, once what follows the size of the window has done so. */
const sticksOut = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame += 1)
      await new Promise((next) => {
        requestAnimationFrame(next);
      });
    return document.documentElement.scrollWidth - innerWidth;
  });

async function open(device = ''): Promise<Page> {
  const server = await startFakeServer();
  fillFleet(server, Date.now());
  const { page } = await openConsole(server, `#token=${server.token}${device}`);
  await page.getByRole('img', { name: /^CPU, .* last/ }).waitFor();
  return page;
}

describe.runIf(needs('chromium'))('who can read and use the console', () => {
  test.each(['light', 'dark'] as const)(
    'when the scheme is %s, names, roles and contrast hold to WCAG 2.2 AA',
    async (colorScheme) => {
      const page = await open();
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.locator('.order-head').first().click();
      expect(await violations(page)).toEqual([]);
    },
  );

  test.each(['light', 'dark'] as const)(
    'when the rollouts are shown in a scheme that is %s, they hold to WCAG 2.2 AA, and stick out of no screen',
    async (colorScheme) => {
      const server = await startFakeServer();
      const digest = 'f'.repeat(64);
      const { version: _, ...bare } = sampleRollout({ rolloutId: 'r'.repeat(64), digest, recalled: 3 });
      server.rollouts.push(sampleRollout(), { ...bare, status: 'paused', why: 'x'.repeat(200) });
      const { page } = await openConsole(server);
      await page.getByRole('link', { name: 'Rollouts' }).click();
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.getByRole('button', { name: 'Pause the rollout press-control-2.4.0' }).click();
      expect(await violations(page)).toEqual([]);
      for (const width of [360, 820, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await sticksOut(page)).toBeLessThanOrEqual(0);
      }
    },
  );

  test('when the page asks for a token, its form holds to WCAG 2.2 AA', async () => {
    const { page } = await openConsole(await startFakeServer(), '');
    await page.getByLabel('Operator token').waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test.each([
    [360, 740],
    [390, 844],
    [820, 1180],
    [1280, 800],
    [1920, 1080],
  ])('when the screen is %d px wide, nothing sticks out of it', async (width, height) => {
    const page = await open('&device=press-04');
    await page.setViewportSize({ width, height });
    expect(await sticksOut(page)).toBeLessThanOrEqual(0);
  });

  test('when it is a phone, it shows the list, then the device, and leads back', async () => {
    const page = await open();
    await page.setViewportSize({ width: 390, height: 844 });
    const heading = page.getByRole('heading', { name: 'Pump 11' });
    await page.getByRole('link', { name: /Pump 11/ }).click();
    await heading.waitFor();
    expect(await page.getByRole('navigation', { name: 'Devices' }).isVisible()).toBe(false);
    await page.getByRole('link', { name: 'All devices', exact: false }).filter({ hasText: '‹' }).click();
    await page.getByRole('navigation', { name: 'Devices' }).waitFor();
    expect(await heading.isVisible()).toBe(false);
  });

  test('when only the keyboard is used, one can skip to the device, choose another and open an order', async () => {
    const page = await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('Skip to the device');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('device');
    await page.getByRole('link', { name: /^demo/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'demo' }).waitFor();
    await page.getByRole('button', { name: /failed service.restart/ }).focus();
    await page.keyboard.press('Space');
    await page
      .getByRole('table')
      .getByRole('rowheader', { name: /started/ })
      .waitFor();
  });
});
