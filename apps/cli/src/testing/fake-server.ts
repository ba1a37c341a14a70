import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { DeviceConfig, HistoryUploadAnswer, Order } from '@bowline/messages';
import { afterThisFile } from '@bowline/testing';

export const TOKEN = 'operator-token';
export const ORDER_ID = '01980000-0000-7000-8000-000000000001';

export interface FakeServer {
  url: string;
  /** Bodies of the orders that were given. */
  orders: unknown[];
  /** Makes the order take its next step whenever it is asked for. */
  steps: Order['status'][];
  error?: { code: string; message: string };
  result?: unknown;
  /** Of the order; a command unless a test says otherwise. */
  type: Order['type'];
  /** Items of the history, as they are asked for: the last ones are all. */
  answers: unknown[][];
  /** Logs that the device has sent by itself. */
  uploads: HistoryUploadAnswer[];
  online: boolean;
  /** The order has ended: nothing can be cancelled. */
  ended: boolean;
  config: DeviceConfig;
  env: Record<string, string>;
}

/** The server's API for operators as far as the CLI calls it, one device `demo`, one order that walks through `steps`. */
export async function fakeServer(): Promise<FakeServer> {
  const history: Order['history'] = [];
  const order = (): Order => ({
    orderId: ORDER_ID,
    deviceId: 'demo',
    seq: 1,
    type: fake.type,
    payload: { name: 'ping' },
    createdAt: 1_750_000_000_000,
    status: history.at(-1)?.status ?? 'queued',
    attempt: history.length > 1 ? 1 : 0,
    history: [...history],
    ...(fake.error === undefined ? {} : { error: fake.error }),
    ...(fake.result === undefined ? {} : { result: fake.result }),
  });
  const step = () => {
    const status = fake.steps.shift();
    if (status === undefined) return;
    const at = 1_750_000_000_000 + 10 * (history.length + 1);
    history.push({ status, at, receivedAt: at, attempt: history.length > 0 ? 1 : 0 });
  };
  const device = () => ({ deviceId: 'demo', name: 'Demo', groups: [], online: fake.online, alarms: [] });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const { method, url = '' } = request;
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      return send(401, {
        title: 'Unauthorized',
        status: 401,
        detail: 'not an operator',
        code: 'unauthorized',
      });
    }
    if (url === `/v1/orders/${ORDER_ID}/history`) {
      const complete = fake.answers.length <= 1;
      const items = fake.answers.length > 1 ? fake.answers.shift() : fake.answers[0];
      const [orderId, status] = [ORDER_ID, 'succeeded'];
      return send(200, {
        orderId,
        deviceId: 'demo',
        status,
        complete,
        parts: 1,
        missing: [],
        spoilt: [],
        items,
      });
    }
    if (url === '/v1/devices/demo/uploads') return send(200, { uploads: fake.uploads });
    const upload = fake.uploads.find(({ uploadId }) => url === `/v1/devices/demo/uploads/${uploadId}`);
    if (upload !== undefined) return send(200, upload);
    if (url === '/v1/devices') return send(200, { devices: [device()] });
    if (url === '/v1/devices/demo') return send(200, device());
    if (url === '/v1/devices/demo/orders' && method === 'POST') {
      fake.orders.push(await json(request));
      return send(201, order());
    }
    if (url === '/v1/devices/demo/config') {
      if (method !== 'POST') return send(200, fake.config);
      fake.orders.push(await json(request));
      return send(201, { ...order(), type: 'config', payload: { version: 8 } });
    }
    if (url === `/v1/orders/${ORDER_ID}/cancel` && method === 'POST') {
      if (fake.ended) {
        const detail = 'the order has ended already: succeeded';
        return send(409, { title: 'Conflict', status: 409, detail, code: 'order-ended' });
      }
      return send(201, { ...order(), type: 'cancel', payload: { orderId: ORDER_ID } });
    }
    if (url === `/v1/orders/${ORDER_ID}`) {
      step();
      return send(200, order());
    }
    return send(404, {
      title: 'Not found',
      status: 404,
      detail: 'there is no such thing',
      code: 'not-found',
    });
  };

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  afterThisFile(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fake: FakeServer = {
    url,
    orders: [],
    uploads: [],
    steps: [],
    type: 'command',
    answers: [],
    online: true,
    ended: false,
    config: {},
    env: { BOWLINE_SERVER: url, BOWLINE_TOKEN: TOKEN },
  };
  return fake;
}
