import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export type Behaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  file: Buffer | undefined,
) => boolean | void;

export interface TestServer {
  url: string;
  /** Paths asked for, with the range if one was. */
  requests: { path: string; range?: string; ifRange?: string }[];
  /** Bytes of bodies that were handed to the socket. */
  sentBytes: number;
  /** Takes the answer over if it returns true. */
  behave: Behaviour | undefined;
  close(): Promise<void>;
}

/** A static file server as a good one is: strong ETags, Range with If-Range. `behave` makes a liar of it. */
export async function serveFolder(folder: string, behave?: Behaviour): Promise<TestServer> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/').slice(1);
    const { range, 'if-range': ifRange } = request.headers;
    served.requests.push({
      path,
      ...(range !== undefined && { range }),
      ...(typeof ifRange === 'string' && { ifRange }),
    });
    const file = read(join(folder, path));
    if (served.behave?.(request, response, file) === true) return;
    served.sentBytes += answer(request, response, file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const served: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests: [],
    sentBytes: 0,
    behave,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return served;
}

export const etagOf = (file: Buffer): string =>
  `"${createHash('sha256').update(file).digest('hex').slice(0, 16)}"`;

/** A right answer; returns the bytes of its body. */
export function answer(request: IncomingMessage, response: ServerResponse, file: Buffer | undefined): number {
  if (file === undefined) {
    response.writeHead(404).end();
    return 0;
  }
  const etag = etagOf(file);
  const from = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
  const ifRange = request.headers['if-range'];
  if (Number.isNaN(from) || (ifRange !== undefined && ifRange !== etag)) {
    response.writeHead(200, { etag, 'content-length': file.length, 'accept-ranges': 'bytes' }).end(file);
    return file.length;
  }
  if (from >= file.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
    return 0;
  }
  const rest = file.subarray(from);
  response
    .writeHead(206, {
      etag,
      'content-length': rest.length,
      'content-range': `bytes ${from}-${file.length - 1}/${file.length}`,
    })
    .end(rest);
  return rest.length;
}

function read(file: string): Buffer | undefined {
  try {
    return statSync(file).isFile() ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}
