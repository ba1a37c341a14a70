import { request as plainRequest, type IncomingHttpHeaders } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';
import { text } from 'node:stream/consumers';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

/** One request with nothing added to it, on a connection of its own; `options` as those of `https.request`. */
export async function call(
  url: string,
  { body, headers = {}, ...options }: RequestOptions & { body?: unknown } = {},
): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const type = payload === undefined ? {} : { 'content-type': 'application/json' };
  const request = url.startsWith('https:') ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    request(url, { agent: false, ...options, headers: { ...type, ...headers } }, async (response) => {
      const answer = await text(response);
      const { statusCode: status = 0, headers: told } = response;
      resolve({
        status,
        headers: told,
        body: answer.startsWith('{') ? JSON.parse(answer) : { text: answer },
      });
    })
      .on('error', reject)
      .end(payload);
  });
}
