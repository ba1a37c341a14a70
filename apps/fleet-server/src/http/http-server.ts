import type { Duplex } from 'node:stream';
import type { IncomingMessage, Server } from 'node:http';
import type { Logger } from '@bowline/runtime';
import {
  answerUpgrade,
  refusal,
  RateLimiter,
  type Enrolment,
  type LinkServer,
  type NewsDesk,
  type Rate,
} from '@bowline/server-sdk';
import { fastify, type FastifyInstance } from 'fastify';
import type { TlsFiles } from '../adapters/tls-files.ts';
import { PAGE_HEADERS, serveConsole } from './console.ts';
import { serveDevicesAdmin, type DevicesAdminPorts } from './devices-admin.ts';
import { MAX_BODY_BYTES, MAX_ENROLMENT_BYTES } from './limits.ts';
import { createNodeServer, refuseUnreadable, type RequestLimits } from './node-server.ts';
import { accessOf } from './access.ts';
import { note, recordCalls, type Recorder } from './audit.ts';
import { Gate, type GateOptions, type GatePorts } from './gate.ts';
import { serveAccounts, type AccountsPorts } from './accounts.ts';
import { serveOperators, type OperatorsPorts } from './operators.ts';
import { refusalOf, sendRefusal } from './problems.ts';
import { serveReleases } from './releases.ts';
import { serveRollouts, type RolloutsPorts } from './rollouts.ts';
import { serveServerItself, type ServerApiPorts } from './server-api.ts';
import { serveSshSessions, type SshSessionsPorts } from './ssh-sessions.ts';
import { serveStream } from './stream.ts';
import { serveTrust, type TrustPorts } from './trust.ts';

export interface HttpPorts
  extends
    OperatorsPorts,
    DevicesAdminPorts,
    AccountsPorts,
    GatePorts,
    ServerApiPorts,
    TrustPorts,
    SshSessionsPorts,
    RolloutsPorts {
  log: Logger;
  news: NewsDesk;
  links: LinkServer;
  enrolment: Enrolment;
  /** Origins by which devices may know this server; the first is the preferred one. */
  origins: () => readonly string[];
}

export interface HttpOptions {
  gate: GateOptions;
  /** Proxies whose word about the caller's address counts. */
  trustedProxies: readonly string[];
  consoleDir: string;
  /** Of a repository of releases; none is served without it. */
  releasesDir: string | undefined;
  maxStreams: number;
  enrolmentRate: Rate;
  limits: RequestLimits;
  /** Tells browsers to come over TLS only, from now on. */
  strictTransport: boolean;
  tls: TlsFiles | undefined;
}

const STRICT_TRANSPORT = 'max-age=31536000';
/** As often as the disk is looked at. */
const RETRY_AFTER_MS = 5000;

/** Everything that the server answers over HTTP; links are upgraded on the same port. */
export async function createHttpServer(ports: HttpPorts, options: HttpOptions): Promise<FastifyInstance> {
  const { log, links } = ports;
  const http = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    serverFactory: (handler) => createNodeServer(handler, options.limits, options.tls),
    clientErrorHandler: refuseUnreadable,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
  });
  http.addHook('onRequest', async ({ method, routeOptions }, reply) => {
    const { closedFor } = links;
    if (closedFor === undefined || accessOf(method, routeOptions.url ?? '')?.grows !== true) return undefined;
    return sendRefusal(
      reply,
      refusal(503, closedFor.code, closedFor.detail, { retryAfterMs: RETRY_AFTER_MS }),
    );
  });
  const gate = new Gate(ports, options.gate);
  const recorder = recordCalls(http, ports.audit, ports);
  gate.guard(http);
  http.addHook('onSend', async (_request, reply) => {
    reply.headers(PAGE_HEADERS);
    // Answers are about the moment, and not for the next user of the browser.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (options.strictTransport) reply.header('strict-transport-security', STRICT_TRANSPORT);
  });
  http.setErrorHandler((error, request, reply) => {
    const refused = refusalOf(error);
    if (refused.status >= 500)
      log.error({ error, method: request.method, url: request.routeOptions.url }, 'request failed');
    return sendRefusal(reply, refused);
  });
  http.setNotFoundHandler((_request, reply) =>
    sendRefusal(reply, refusal(404, 'not-found', 'there is nothing here')),
  );

  http.get('/v1/health', () => ({ status: 'ok', links: links.links }));
  serveEnrolment(http, ports, recorder, new RateLimiter(ports.clock, options.enrolmentRate));
  serveOperators(http, ports);
  serveDevicesAdmin(http, ports);
  serveTrust(http, ports);
  serveSshSessions(http, ports);
  serveRollouts(http, ports);
  serveServerItself(http, ports);
  serveAccounts(http, ports, gate);
  serveStream(http, ports.news, gate, options.maxStreams);
  if (options.releasesDir !== undefined) await serveReleases(http, options.releasesDir);
  if (!(await serveConsole(http, options.consoleDir))) {
    log.warn({ folder: options.consoleDir }, 'the console is not built: only the API is served');
  }

  (http.server as Server).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!links.upgrade(request, socket, head) && !ports.tunnels.upgrade(request, socket, head))
      answerUpgrade(socket, refusal(404, 'not-found', 'there is nothing here'));
  });
  return http;
}

function serveEnrolment(
  http: FastifyInstance,
  { enrolment, origins }: HttpPorts,
  recorder: Recorder,
  rate: RateLimiter,
): void {
  http.post('/v1/enrolments', { bodyLimit: MAX_ENROLMENT_BYTES }, async (request, reply) => {
    const retryAfterMs = rate.take(request.ip);
    if (retryAfterMs > 0) {
      return sendRefusal(reply, refusal(429, 'too-many-requests', 'too many enrolments', { retryAfterMs }));
    }
    // Never the caller's Host as it stands: a proof that was made for another server could be passed on to us.
    const named =
      origins().find((origin) => new URL(origin).host === request.headers.host) ?? origins()[0] ?? '';
    const answer = await enrolment.enrol(request.body, named, (deviceId) =>
      recorder.begin(request, { deviceId }),
    );
    if (!('deviceId' in answer)) return sendRefusal(reply, answer);
    note(request, { deviceId: answer.deviceId });
    return reply.status(201).send(answer);
  });
}
