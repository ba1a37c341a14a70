import { request, type IncomingHttpHeaders } from 'node:http';

export interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

export interface Sent {
  path: string;
  method?: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
}

/** One HTTP request, on a unix socket or a port of loopback. */
export function call(
  where: { socketPath: string } | { port: number },
  { path, method = 'POST', body = '', headers = {} }: Sent,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', ...where, path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>,
          }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}
