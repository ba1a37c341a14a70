/**
 * A picture of the console for the README: `npm run screenshot -w @bowline/fleet-console -- URL FILE [WIDTHxHEIGHT] [light|dark]`.
 * URL is the console's address with its `#token=…`, as `npm start` prints it.
 */
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openBrowser } from '@bowline/testing/browser';

const [url, file, size = '1280x800', scheme = 'light'] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
if (
  url === undefined ||
  file === undefined ||
  !width ||
  !height ||
  (scheme !== 'light' && scheme !== 'dark')
) {
  process.stderr.write('usage: screenshot URL FILE [WIDTHxHEIGHT] [light|dark]\n');
  process.exit(2);
}
const target = resolve(process.env['INIT_CWD'] ?? '.', file);
mkdirSync(dirname(target), { recursive: true });
const browser = await openBrowser({ width, height, colorScheme: scheme, timezoneId: 'UTC' });
try {
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  await page.goto(url);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.locator('.chart canvas').first().waitFor();
  await page.waitForFunction(() => !document.body.innerText.includes('Loading…'));
  await page.screenshot({ path: target, animations: 'disabled' });
} finally {
  await browser.close();
}
