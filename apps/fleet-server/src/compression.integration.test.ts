import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer } from './testing/test-server.ts';

describe('permessage-deflate', () => {
  it('when a device offers it, its messages are read, and each is packed by itself', async () => {
    const server = await startTestServer();
    const device = await server.device('packing');
    const link = await device.open();
    expect(link.socket.extensions).toBe('permessage-deflate');
    const samples = Array.from({ length: 500 }, (_, index) => ({
      series: 'level',
      at: 1000 + index,
      value: index,
    }));
    link.durable('telemetry', 1, 'telemetry', { samples });
    await link.receipted('telemetry', 1);
    const { body } = await server.api('GET', '/v1/devices/packing/telemetry?series=level&limit=1000');
    expect(body['samples']).toHaveLength(500);

    // What it answered with: no memory between messages in either direction.
    const headers = { authorization: `Bearer ${device.token()}` };
    const socket = new WebSocket(device.link, ['bowline.v1'], { headers });
    const answer = await new Promise<string>((resolve) => {
      socket.once('upgrade', ({ headers: said }) => resolve(String(said['sec-websocket-extensions'])));
    });
    socket.terminate();
    expect(answer).toContain('server_no_context_takeover');
    expect(answer).toContain('client_no_context_takeover');
    await server.stop();
  });

  it('when a frame is small and what comes out of it is not, the link is closed with 1009, and the server goes on', async () => {
    const server = await startTestServer();
    const device = await server.device('bomb');
    const link = await device.open();
    link.send(`{"type":"event","payload":"${'0'.repeat(32 * 2 ** 20)}"}`);
    expect((await link.closed).code).toBe(1009);
    const again = await device.open();
    again.sample(1, 1);
    await again.receipted('telemetry', 1);
    await server.stop();
  });

  it('when it is off, a device that offers it goes on without', async () => {
    const server = await startTestServer({ link: { compression: false } });
    const device = await server.device('plain');
    const link = await device.open();
    expect(link.socket.extensions).toBe('');
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
    await server.stop();
  });
});
