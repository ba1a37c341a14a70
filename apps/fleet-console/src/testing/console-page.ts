/** The built console, open in a real browser on a server that the test holds. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterThisFile, temporaryFolder } from '@bowline/testing';
import { openBrowser } from '@bowline/testing/browser';
import type { BrowserContext, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { FakeFleetServer } from './fake-fleet-server.ts';

let browser: Promise<BrowserContext> | undefined;
let built: string | undefined;

/** One browser a test file; it is closed after the last test. Its reader sits in Berlin. */
function theBrowser(): Promise<BrowserContext> {
  browser ??= openBrowser({
    width: 1280,
    height: 800,
    colorScheme: 'light',
    timezoneId: 'Europe/Berlin',
  }).then(({ context, close }) => {
    afterThisFile(close);
    return context;
  });
  return browser;
}

/** The page as `npm run build` makes it, in a folder of its own: what lies in dist may be older than the source. */
function theBuild(): string {
  if (built === undefined) {
    const folder = temporaryFolder();
    execFileSync(process.execPath, [join(import.meta.dirname, '../build.ts'), folder]);
    built = folder;
  }
  return built;
}

export async function startFakeServer(): Promise<FakeFleetServer> {
  const server = new FakeFleetServer(theBuild());
  await server.start();
  onTestFinished(() => server.stop());
  return server;
}

export interface OpenConsole {
  page: Page;
  /** What the browser complained about: scripts, styles, policy. Failed requests are not among it. */
  complaints: string[];
}

/** Opens the console; `fragment` default: the server's token. */
export async function openConsole(
  server: FakeFleetServer,
  fragment = `#token=${server.token}`,
): Promise<OpenConsole> {
  const page = await (await theBrowser()).newPage();
  // Each page that stays open goes on asking and drawing beside the tests that follow.
  onTestFinished(() => page.close());
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    const isRequest = message.text().startsWith('Failed to load resource');
    if ((message.type() === 'error' || message.type() === 'warning') && !isRequest)
      complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${server.origin}/${fragment}`);
  return { page, complaints };
}
