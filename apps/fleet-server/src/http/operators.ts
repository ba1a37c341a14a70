import { check, type Order } from '@bowline/messages';
import { decodeDownlink } from '@bowline/messages/downlink';
import { ContractError, RejectedError } from '@bowline/runtime';
import type {
  DeadLetters,
  DeviceDirectory,
  DeviceStatusBook,
  DeviceViews,
  OrderBook,
  ServerIdentity,
} from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import * as validators from '../generated/bodies.js';
import { note } from './audit.ts';
import type { ConfigBody, OrderBody } from './bodies.ts';
import { MAX_ORDER_BYTES } from './limits.ts';
import { countOf, limitOf } from './query.ts';

export interface OperatorsPorts {
  devices: DeviceDirectory;
  status: DeviceStatusBook;
  views: DeviceViews;
  deadLetters: DeadLetters;
  orders: OrderBook;
  identity: ServerIdentity;
  /** The largest answer to a historyRequest of which every part is sure to be kept, bytes as JSON before it is packed. */
  answerBytes: number;
}

type OfDevice = { Params: { deviceId: string }; Querystring: Record<string, string | undefined> };
type OfUpload = { Params: { deviceId: string; uploadId: string } };
type OfOrder = { Params: { orderId: string } };

/** The operators' API (README). Who may call it was checked before. */
export function serveOperators(http: FastifyInstance, ports: OperatorsPorts): void {
  const { devices, status, views, deadLetters, orders, identity, answerBytes } = ports;

  const known = (deviceId: string): string => {
    if (devices.get(deviceId) === undefined) {
      throw new RejectedError('unknown-device', 'this server does not know the device');
    }
    return deviceId;
  };
  const order = (orderId: string): Order => {
    const found = orders.get(orderId);
    if (found === undefined) throw new RejectedError('unknown-order', 'this server does not know the order');
    return found;
  };

  /** What a device is to be configured to is remembered beside its order, however that comes. */
  const give = async (deviceId: string, wanted: OrderBody): Promise<Order> => {
    const created = await orders.create(deviceId, identity.serverEpoch, wanted);
    const { type, payload, orderId, createdAt: at } = created;
    if (type === 'config') {
      status.configWanted(deviceId, { version: Number(payload['version']), orderId, at });
    }
    return created;
  };

  http.get('/v1/devices', () => ({ devices: status.list() }));

  http.get<OfDevice>('/v1/devices/:deviceId', ({ params }) => status.get(known(params.deviceId)));

  const bodyLimit = MAX_ORDER_BYTES;
  http.post<OfDevice>('/v1/devices/:deviceId/orders', { bodyLimit }, async (request, reply) => {
    const wanted = answerable(check<OrderBody>(validators.order, request.body, 'body'), answerBytes);
    checkPayload(wanted);
    const created = await give(known(request.params.deviceId), wanted);
    note(request, { orderId: created.orderId });
    return reply.status(201).send(created);
  });

  http.post<OfDevice>('/v1/devices/:deviceId/config', { bodyLimit }, async (request, reply) => {
    const deviceId = known(request.params.deviceId);
    const { expiresInMs, version, ...rest } = check<ConfigBody>(validators.config, request.body, 'body');
    const payload = { version: version ?? status.nextConfigVersion(deviceId), ...rest };
    const wanted: OrderBody = {
      type: 'config',
      payload,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
    };
    checkPayload(wanted);
    const created = await give(deviceId, wanted);
    note(request, { orderId: created.orderId, version: String(payload.version) });
    return reply.status(201).send(created);
  });

  http.get<OfDevice>('/v1/devices/:deviceId/config', ({ params }) => {
    const { config = {} } = status.get(known(params.deviceId)) ?? {};
    const { wanted } = config;
    const sections = wanted === undefined ? undefined : orders.get(wanted.orderId)?.payload['sections'];
    return { ...config, ...(sections === undefined ? {} : { sections }) };
  });

  http.get<OfDevice>('/v1/devices/:deviceId/orders', ({ params, query }) => ({
    orders: orders.list(known(params.deviceId), limitOf(query['limit'], 50, 1000)),
  }));

  http.get<OfOrder>('/v1/orders/:orderId', ({ params }) => order(params.orderId));

  http.get<OfOrder>('/v1/orders/:orderId/history', async ({ params }) => {
    const { deviceId, orderId, type, status, createdAt } = order(params.orderId);
    if (type !== 'historyRequest') {
      throw new RejectedError(
        'no-history-request',
        `the order is of type ${type}: it has no history to answer with`,
      );
    }
    return { orderId, deviceId, status, ...(await views.historyAnswer(deviceId, orderId, createdAt)) };
  });

  http.post<OfOrder>('/v1/orders/:orderId/cancel', async ({ params }, reply) =>
    reply.status(201).send(await orders.cancel(order(params.orderId), identity.serverEpoch)),
  );

  http.get<OfDevice>('/v1/devices/:deviceId/series', async ({ params }) => ({
    series: await views.series(known(params.deviceId)),
  }));

  http.get<OfDevice>('/v1/devices/:deviceId/telemetry', async ({ params, query }) => {
    const { series } = query;
    if (series === undefined) throw new ContractError('invalid', 'the query needs series');
    const from = countOf(query['from'], 'from');
    const to = countOf(query['to'], 'to');
    const limit = limitOf(query['limit'], 1000, 10_000);
    const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    return { samples: await views.samples(known(params.deviceId), { series, limit, ...range }) };
  });

  http.get<OfDevice>('/v1/devices/:deviceId/uploads', async ({ params }) => ({
    uploads: await views.uploads(known(params.deviceId)),
  }));

  http.get<OfUpload>(
    '/v1/devices/:deviceId/uploads/:uploadId',
    async ({ params: { deviceId, uploadId } }) => {
      const upload = (await views.uploads(known(deviceId))).find((each) => each.uploadId === uploadId);
      if (upload === undefined) {
        throw new RejectedError('unknown-upload', 'this server keeps no such upload of the device');
      }
      return { ...upload, ...(await views.historyAnswer(deviceId, uploadId)) };
    },
  );

  http.get<OfDevice>('/v1/devices/:deviceId/events', async ({ params, query }) => ({
    events: await views.events(known(params.deviceId), limitOf(query['limit'], 50, 1000)),
  }));

  http.get<OfDevice>('/v1/devices/:deviceId/dead-letters', ({ params, query }) => ({
    deadLetters: deadLetters.list(known(params.deviceId), limitOf(query['limit'], 100, 1000)),
  }));
}

/**
 * A device refuses a historyRequest whose answer would be more than `maxBytes`, with the estimate: so it is told what this server
 * keeps, or the first parts would be gone before the last has come.
 */
function answerable(wanted: OrderBody, answerBytes: number): OrderBody {
  if (wanted.type !== 'historyRequest') return wanted;
  const { maxBytes } = wanted.payload;
  if (typeof maxBytes === 'number' && maxBytes > answerBytes) {
    throw new RejectedError(
      'history-too-large',
      `maxBytes is more than the ${answerBytes} bytes that this server is sure to keep (half of keep.historyBytes)`,
    );
  }
  return { ...wanted, payload: { maxBytes: answerBytes, ...wanted.payload } };
}

/** An order that no device could take is refused here, with the same schemas. */
function checkPayload({ type, payload }: OrderBody): void {
  const id = '00000000-0000-7000-8000-000000000000';
  decodeDownlink(JSON.stringify({ type, id, lane: 'orders', seq: 1, sentAt: 0, payload }), MAX_ORDER_BYTES);
}
