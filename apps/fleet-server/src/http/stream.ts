import { ContractError } from '@bowline/runtime';
import { NEWS_KINDS, refusal, type Interest, type NewsDesk, type NewsKind } from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import { PAGE_HEADERS } from './console.ts';
import type { Gate } from './gate.ts';
import { sendRefusal } from './problems.ts';

/** A comment in between, so that both sides notice a dead connection. */
const KEEP_ALIVE_MS = 15_000;
/** A reader that is this far behind is cut off: it comes back and asks for what it missed. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;

/** `GET /v1/stream?device=ID&kinds=device,order`: what happens, as server-sent events. */
export function serveStream(
  http: FastifyInstance,
  news: NewsDesk,
  gate: Pick<Gate, 'stillAdmits'>,
  maxStreams: number,
): void {
  let streams = 0;
  http.get<{ Querystring: StreamQuery }>('/v1/stream', (request, reply) => {
    const interest = interestOf(request.query);
    if (streams >= maxStreams) {
      return sendRefusal(
        reply,
        refusal(429, 'too-many-streams', 'too many streams', { retryAfterMs: KEEP_ALIVE_MS }),
      );
    }
    streams += 1;
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...PAGE_HEADERS,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const write = (text: string) => {
      if (!gate.stillAdmits(request)) return raw.end();
      raw.write(text);
      if (raw.writableLength > MAX_BEHIND_BYTES) raw.destroy();
    };
    write(': open\n\n');
    const keepAlive = setInterval(() => write(': alive\n\n'), KEEP_ALIVE_MS).unref();
    const unsubscribe = news.subscribe(
      ({ kind, body }) => write(`event: ${kind}\ndata: ${JSON.stringify(body)}\n\n`),
      interest,
    );
    raw.on('error', () => raw.destroy());
    raw.on('close', () => {
      streams -= 1;
      clearInterval(keepAlive);
      unsubscribe();
    });
    return reply;
  });
}

interface StreamQuery {
  device?: string;
  kinds?: string;
}

/** The samples of a whole fleet are more than anybody reads: they come by the device only. */
function interestOf({ device, kinds }: StreamQuery): Interest {
  const offered = NEWS_KINDS.filter((kind) => kind !== 'telemetry' || device !== undefined);
  const wanted = kinds === undefined ? offered : kinds.split(',');
  const unknown = wanted.find((kind) => !offered.includes(kind as NewsKind));
  if (unknown !== undefined) {
    const why = unknown === 'telemetry' ? 'telemetry needs device=ID' : `kinds are ${offered.join(', ')}`;
    throw new ContractError('invalid', why);
  }
  return {
    kinds: new Set(wanted as NewsKind[]),
    ...(device === undefined ? {} : { deviceId: device }),
  };
}
