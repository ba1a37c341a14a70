import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditPage } from '@bowline/messages';
import { afterThisFile, needs, waitFor } from '@bowline/testing';
import { openBrowser } from '@bowline/testing/browser';
import { certificateAuthority } from '@bowline/testing/certificates';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { PlainServer } from './plain-server.ts';

describe.runIf(needs('chromium') && needs('openssl'))(
  'the console’s session in a browser, on the real server',
  () => {
    let browser: BrowserContext;
    beforeAll(async () => {
      const size = { width: 1280, height: 800 };
      const { context, close } = await openBrowser({
        ...size,
        colorScheme: 'light',
        timezoneId: 'UTC',
        anyCertificate: true,
      });
      afterThisFile(close);
      browser = context;
    });

    async function signedIn(server: PlainServer): Promise<{ page: Page; complaints: string[] }> {
      const page = await browser.newPage();
      page.setDefaultTimeout(30_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => complaints.push(message.text()));
      await page.goto(`${server.url}/#token=${server.operatorToken}`);
      await page.getByRole('heading', { name: 'No devices yet' }).waitFor();
      return { page, complaints };
    }

    test('when it comes over TLS, the cookie is bound to host and TLS, out of reach of scripts, and all calls work', async () => {
      const { certFile, keyFile } = certificateAuthority().issue('IP:127.0.0.1');
      const server = await PlainServer.start({ tlsCert: certFile, tlsKey: keyFile });
      const { page, complaints } = await signedIn(server);
      const { port } = new URL(server.url);
      expect(await browser.cookies(server.url)).toMatchObject([
        { name: `__Host-bowline-${port}`, httpOnly: true, secure: true, sameSite: 'Strict', path: '/' },
      ]);
      expect(await page.evaluate('document.cookie')).toBe('');
      await page.getByRole('button', { name: 'Make a token' }).click();
      await page.getByText('Good for one device until').waitFor();
      await page.reload();
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Operator token').waitFor();
      // The page does not wait for the server's answer.
      await waitFor(async () => (await browser.cookies(server.url)).length === 0, {
        what: 'the cookie to go',
      });
      expect(complaints).toEqual([]);
    });

    test('when a page of another port makes calls with the operator’s cookie, none has an effect', async () => {
      const server = await PlainServer.start();
      const { page } = await signedIn(server);
      const elsewhere = createServer((_, response) => {
        response.setHeader('content-type', 'text/html');
        response.end(
          `<form method="post" action="${server.url}/v1/enrolment-tokens"><button>Win</button></form>`,
        );
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => elsewhere.once('listening', resolve));
      afterThisFile(() => {
        elsewhere.closeAllConnections();
        elsewhere.close();
      });
      const evil = await browser.newPage();
      await evil.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
      await evil.evaluate(async (url) => {
        for (const mode of ['no-cors', 'cors'] as const) {
          const call = { mode, method: 'POST', credentials: 'include' } as const;
          await fetch(`${url}/v1/enrolment-tokens`, call).catch(() => {});
          await fetch(`${url}/v1/stream`, { mode, credentials: 'include' }).catch(() => {});
        }
      }, server.url);
      await evil.getByRole('button', { name: 'Win' }).click();
      await evil.getByText('cross-site').waitFor();

      const headers = { authorization: `Bearer ${server.operatorToken}` };
      const get = async (path: string) => (await fetch(`${server.url}${path}`, { headers })).json();
      expect(await get('/v1/enrolment-tokens')).toEqual({ tokens: [] });
      const { entries } = (await get('/v1/audit')) as AuditPage;
      const refused = entries.filter(({ outcome }) => outcome?.code === 'cross-site');
      expect(new Set(refused.map(({ action }) => action))).toEqual(
        new Set(['enrolment-token.create', 'GET /v1/stream']),
      );
      await page.getByRole('button', { name: 'Make a token' }).click();
      await page.getByText('Good for one device until').waitFor();
    });
  },
);
