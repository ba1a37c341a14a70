import { randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { systemClock } from '@bowline/runtime/clock';
import { proxyAgent, proxyFor, type ProxySettings } from '@bowline/runtime/proxy';

const TIMEOUT_MS = 10_000;
/** To a link without a token (protocol, section 1). */
const OF_A_SERVER = [101, 401, 403];

/**
 * Whether the server of the link answers to this process, which is not the one that holds the link: it is asked for a link
 * without a token. A proxy whose server is away (502, 503), a server that is overloaded or drains, and somebody else on the way
 * who answers anything do not count, nor does a certificate that cannot be checked here: then a trial ends inconclusive rather
 * than as failed.
 *
 * @param link address of the link, `wss://HOST/…` or `ws://HOST/…`.
 * @param way the proxy that the link goes through: its failure is no answer.
 */
export function serverAnswers(link: string, signal: AbortSignal, way?: ProxySettings): Promise<boolean> {
  const target = new URL(link);
  const { protocol, host, pathname, search } = target;
  const proxy = proxyFor(way, target);
  const secure = protocol === 'wss:' || protocol === 'https:';
  const send = secure ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const asked = send(`${secure ? 'https' : 'http'}://${host}${pathname}${search}`, {
      signal: until,
      agent:
        proxy !== undefined &&
        proxyAgent({ proxy, secure, clock: systemClock, deadlineMs: TIMEOUT_MS, signal: until }),
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        'sec-websocket-protocol': 'bowline.v1',
      },
    });
    const answered = ({ statusCode = 0 }: IncomingMessage) => {
      asked.destroy();
      resolve(OF_A_SERVER.includes(statusCode));
    };
    asked.once('response', answered);
    asked.once('upgrade', answered);
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
