/** Debian's Chromium, headless, with a profile of its own and without a word to anybody. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';

export const CHROMIUM = '/usr/bin/chromium';

export interface BrowserOptions {
  width: number;
  height: number;
  colorScheme: 'light' | 'dark';
  /** IANA name of the reader's zone. */
  timezoneId: string;
  /** Takes any certificate, for a server whose authority is the test itself. */
  anyCertificate?: boolean;
}

/** @returns a browser of its own; `close()` ends it and removes its profile */
export async function openBrowser(
  options: BrowserOptions,
): Promise<{ context: BrowserContext; close: () => Promise<void> }> {
  const profile = mkdtempSync(join(tmpdir(), 'bl-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    viewport: { width: options.width, height: options.height },
    colorScheme: options.colorScheme,
    timezoneId: options.timezoneId,
    ignoreHTTPSErrors: options.anyCertificate ?? false,
    locale: 'en-GB',
    reducedMotion: 'reduce',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
