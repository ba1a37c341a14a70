import { once } from 'node:events';
import { connect } from 'node:net';
import { createKey, signLinkToken } from '@bowline/identity';
import type { ServerInfo } from '@bowline/messages';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { accountsOf, settle } from '../campaign.ts';
import { TortureFleet, until } from '../fleet.ts';
import { Producer } from '../producer.ts';
import { hello, ipcCorpus, REGISTER, signedCorpus, vectors } from './corpus.ts';
import { inputsNear } from './inputs.ts';
import { faultInCode } from './oracle.ts';

const DEVICE_ID = 'fuzz';
/** What has not answered by then hangs. */
const HANGS_AFTER_MS = 60_000;
const FRAMES_OF_A_LINK = 5;
const BETWEEN_LOOKS = 100;
/** Closing a link so is the server's own fault (RFC 6455, section 7.4.1). */
const SERVERS_FAULT = 1011;

/** Whoever listens on a real socket, given one input. Throws if it was not refused as it should. */
type Door = (text: string) => Promise<void>;

export interface SocketsResult {
  inputs: number;
  findings: string[];
  /** Whether the death of a process would have been seen. */
  controlCaught: boolean;
}

/**
 * The built gateway and server at their sockets, while a good app and a good device go on beside: they neither end nor stop
 * serving, and nothing that was accepted meanwhile is lost.
 */
export async function fuzzSockets(
  inputs: number,
  seed: number,
  say: (line: string) => void,
): Promise<SocketsResult> {
  const findings: string[] = [];
  const fleet = await TortureFleet.start();
  let clean = false;
  try {
    const producer = new Producer(fleet.hubFolder);
    const doors = await openDoors(fleet);
    const each = Math.ceil(inputs / doors.length);
    for (const { name, corpus, door } of doors) {
      for (const [index, text] of fc.sample(inputsNear(corpus), { seed, numRuns: each }).entries()) {
        await door(text).catch((error: unknown) => findings.push(`${name}: ${String(error)} for ${JSON.stringify(text).slice(0, 300)}`)); // prettier-ignore
        if (index % BETWEEN_LOOKS === 0) await serves(fleet, producer);
      }
    }
    await serves(fleet, producer);
    await producer.stop();
    await settle(fleet, []);
    if (fleet.restarts > 0) findings.push(`${fleet.restarts} processes ended`);
    const before = fleet.restarts;
    fleet.kill('ws-gateway');
    const controlCaught = await until(() => fleet.restarts > before, 'a death to be seen').then(() => true, () => false); // prettier-ignore
    const { lost, duplicated, outOfOrder } = (await accountsOf(fleet, producer)).ofProducer;
    if (lost + duplicated + outOfOrder > 0)
      findings.push('what was accepted meanwhile did not arrive as it should');
    clean = findings.length === 0;
    return { inputs: each * doors.length, findings, controlCaught };
  } finally {
    if (!clean) say(`  state and logs are kept in ${fleet.folder}`);
    await fleet.end({ keepFolder: !clean });
  }
}

async function serves(fleet: TortureFleet, producer: Producer): Promise<void> {
  const before = producer.accepted.length;
  await until(() => producer.accepted.length > before, 'a good app to be served');
  await until(() => fleet.isOnline(), 'the good device to be online');
}

async function openDoors(fleet: TortureFleet) {
  const key = await createKey();
  await call(fleet, '/v1/devices', { deviceId: DEVICE_ID, publicKey: key.publicJwk });
  const { serverId } = (await call(fleet, '/v1/server')) as ServerInfo;
  const { enrolment, linkToken } = await signedCorpus();
  const [uplink, url] = [vectors('uplink'), fleet.url.replace('http', 'ws')];
  const link = `${url}/v1/devices/${DEVICE_ID}/link`;
  const tokenNow = () => signLinkToken(key, { deviceId: DEVICE_ID, serverId, nowMs: Date.now() });
  return [
    { name: 'hub', corpus: ipcCorpus(uplink), door: hubDoor(`${fleet.hubFolder}/ota-updater.sock`) },
    { name: 'enrolment', corpus: [enrolment], door: httpDoor(fleet, '/v1/enrolments') },
    { name: 'operators', corpus: [{ type: 'command', payload: { name: 'ping' } }], door: httpDoor(fleet, `/v1/devices/${DEVICE_ID}/orders`) },
    { name: 'upgrade', corpus: [linkToken, await tokenNow()], door: (text: string) => refusedUpgrade(link, text) },
    { name: 'link', corpus: uplink, door: linkDoor(link, tokenNow) },
  ]; // prettier-ignore
}

const registration = JSON.stringify({ type: 'messages', data: [['request', 0, 'register', REGISTER]] });

/** As an app that has registered; after the text comes the same once more in bytes that are not always UTF-8. */
const hubDoor =
  (path: string): Door =>
  (text) =>
    new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.setTimeout(HANGS_AFTER_MS, () =>
        socket.destroy(new Error('the hub does not end the connection')),
      );
      socket.once('error', (error) => ('code' in error ? undefined : reject(error))); // ended amid our words: as it should
      socket.once('close', () => resolve());
      socket
        .resume()
        .end(Buffer.concat([Buffer.from(`${registration}\f${text}\f`), Buffer.from(text, 'latin1')]));
    });

/** Every answer is a success, or a problem document with a code that is listed. */
const httpDoor =
  (fleet: TortureFleet, path: string): Door =>
  async (body) => {
    const response = await request(fleet, path, body);
    await mustBeListed(response.status, await response.text());
  };

async function mustBeListed(status: number, body: string): Promise<void> {
  if (status < 300) return;
  const { code = '' } = JSON.parse(body) as { code?: string };
  const fault = status >= 500 ? `answers ${status}` : faultInCode(code);
  if (fault !== undefined) throw new Error(fault);
}

function refusedUpgrade(link: string, token: string): Promise<void> {
  const authorization = `Bearer ${token.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 8000)}`;
  const socket = new WebSocket(link, 'bowline.v1', {
    headers: { authorization },
    handshakeTimeout: HANGS_AFTER_MS,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => resolve(socket.terminate()));
    socket.once('unexpected-response', async (_request, response) => {
      let body = '';
      for await (const chunk of response) body += String(chunk);
      mustBeListed(response.statusCode ?? 0, body).then(resolve, reject);
    });
  });
}

/** Every second link begins with a good hello. */
function linkDoor(url: string, token: () => Promise<string>): Door {
  let link: Link | undefined;
  let [sent, links] = [0, 0];
  return async (text) => {
    if (link?.socket.readyState !== WebSocket.OPEN || (sent += 1) % FRAMES_OF_A_LINK === 0) {
      link?.socket.terminate();
      link = new Link(url, await token());
      await link.until('open');
      if ((links += 1) % 2 === 0) {
        link.socket.send(hello(DEVICE_ID));
        await link.until('message');
      }
    }
    link.socket.send(text);
    link.socket.ping();
    await link.until('pong');
  };
}

/** A device at the wire that looks at how it is answered. */
class Link {
  readonly socket: WebSocket;
  readonly #closed: Promise<unknown>;
  #fault: string | undefined;

  constructor(url: string, token: string) {
    this.socket = new WebSocket(url, 'bowline.v1', { headers: { authorization: `Bearer ${token}` } });
    this.#closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', ({ message }) => (this.#fault ??= message));
    this.socket.on('close', (code) => {
      if (code === SERVERS_FAULT) this.#fault ??= `closed by ${code}`;
    });
    this.socket.on('message', (data: Buffer) => {
      const { type, payload } = JSON.parse(data.toString()) as { type: string; payload: { code: string } };
      if (type === 'reject') this.#fault ??= faultInCode(payload.code);
    });
  }

  /** The event, or the end of the link: it may have been this sender's fault. */
  async until(event: 'open' | 'pong' | 'message'): Promise<void> {
    const signal = AbortSignal.timeout(HANGS_AFTER_MS);
    await Promise.race([once(this.socket, event, { signal }), this.#closed]);
    if (this.#fault !== undefined) throw new Error(this.#fault);
  }
}

const request = (fleet: TortureFleet, path: string, body?: string) =>
  fetch(`${fleet.url}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body }),
    headers: { authorization: `Bearer ${fleet.token}`, 'content-type': 'application/json' },
    signal: AbortSignal.timeout(HANGS_AFTER_MS),
  });

async function call(fleet: TortureFleet, path: string, body?: object): Promise<unknown> {
  const response = await request(fleet, path, body && JSON.stringify(body));
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
