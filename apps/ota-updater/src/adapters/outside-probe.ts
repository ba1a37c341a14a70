import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

const TIMEOUT_MS = 10_000;

/**
 * Whether the server of the link answers to this process, which is not the one that holds the link: any answer over HTTP
 * counts. A certificate that cannot be checked here counts as none: then a trial ends inconclusive rather than as failed.
 *
 * @param link address of the link, `wss://HOST/…` or `ws://HOST/…`.
 */
export function serverAnswers(link: string, signal: AbortSignal): Promise<boolean> {
  const { protocol, host } = new URL(link);
  const secure = protocol === 'wss:' || protocol === 'https:';
  const send = secure ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const asked = send(
      `${secure ? 'https' : 'http'}://${host}/`,
      { signal: until, agent: false },
      (response) => {
        response.destroy();
        resolve(true);
      },
    );
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
