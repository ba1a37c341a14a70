import { isOrderType, LANE_OF, type DownlinkType, type UplinkType } from '@bowline/messages';
import { DOWNLINK, UPLINK } from '@bowline/messages/catalogue';
import { Batch, Envelope } from '@bowline/messages/envelope';
import { TunnelAttached, TunnelPaired } from '@bowline/messages/wire/tunnel';
import type { TSchema } from 'typebox';

const UPLINK_SUMMARIES: Record<UplinkType, string> = {
  hello: "The device's first frame: who it is and what each lane still holds.",
  heartbeat: 'Sent every heartbeatSeconds: the state of the queue, the ledger and the apps.',
  receipt: 'What the device holds durably of the downlink lane.',
  reject: 'Refuses one message of the server that is no order.',
  ack: 'The state of an order. Status progress is live only and has neither lane nor seq.',
  telemetry: 'Samples; on the lane telemetry while connected, on history otherwise.',
  history: 'One part of what a historyRequest asked for.',
  event: 'Something that happened on the device.',
  configReport: 'What became of a configuration.',
  gap: 'Exactly which messages or samples will never come.',
};

const DOWNLINK_SUMMARIES: Record<DownlinkType, string> = {
  welcome: "The server's answer to hello: what it holds of each lane, and the limits.",
  heartbeat: 'The answer to a heartbeat: the time, and what ingestion has processed.',
  receipt: 'What the server holds durably of each uplink lane.',
  reject: 'Refuses one message of the device for good.',
  command: 'Order: run a command.',
  config: 'Order: take a configuration.',
  historyRequest: 'Order: upload telemetry, logs or the journal of a time range.',
  softwareUpdate: 'Order: install software.',
  sshAccess: 'Order: open a time-boxed SSH session.',
  trust: 'Order: take the next trust bundle.',
  cancel: 'Order: call off another order.',
};

type Json = Record<string, unknown>;

/** Schemas as plain JSON: without the marks that the schema builder keeps on its objects. */
const plain = (schema: TSchema): Json => JSON.parse(JSON.stringify(schema)) as Json;
const reference = (path: string) => ({ $ref: `#/${path}` });
const capital = (name: string) => name[0]?.toUpperCase() + name.slice(1);

/** The envelope of one type: which lane it may name, and whether lane and seq must be there (protocol, section 2). */
function messageSchema(type: string, payload: string, lanes: readonly string[], durable: boolean): Json {
  const { properties, required } = plain(Envelope) as {
    properties: Record<string, Json>;
    required: string[];
  };
  const { lane: _lane, seq, ...others } = properties;
  return {
    type: 'object',
    required: durable ? [...required, 'lane', 'seq'] : required,
    properties: {
      ...others,
      type: { const: type },
      ...(lanes.length === 0 ? {} : { lane: { enum: lanes }, seq }),
      payload: reference(`components/schemas/${payload}`),
    },
  };
}

function lanesOf(type: UplinkType): readonly string[] {
  if (type === 'telemetry') return ['telemetry', 'history'];
  return type in LANE_OF ? [LANE_OF[type as keyof typeof LANE_OF]] : [];
}

/** Everything of one direction: components by name, and the names in the order of the catalogue. */
function direction(prefix: 'up' | 'down') {
  const schemas: Json = {};
  const messages: Json = {};
  const [catalogue, summaries] =
    prefix === 'up' ? ([UPLINK, UPLINK_SUMMARIES] as const) : ([DOWNLINK, DOWNLINK_SUMMARIES] as const);
  for (const [type, schema] of Object.entries(catalogue)) {
    const name = `${prefix}${capital(type)}`;
    const isOrder = prefix === 'down' && isOrderType(type);
    const lanes = prefix === 'up' ? lanesOf(type as UplinkType) : isOrder ? ['orders'] : [];
    schemas[`${name}Payload`] = plain(schema);
    messages[name] = {
      name: type,
      title: type,
      summary: (summaries as Record<string, string>)[type],
      contentType: 'application/json',
      payload: messageSchema(type, `${name}Payload`, lanes, lanes.length > 0 && type !== 'ack'),
    };
  }
  return { schemas, messages };
}

/** The AsyncAPI 3 document of the wire protocol, seen from the device: it sends the uplink and receives the downlink. */
export function asyncapiDocument(): Json {
  const up = direction('up');
  const down = direction('down');
  const tunnel = {
    tunnelAttached: {
      name: 'attached',
      title: 'attached',
      summary: 'The socket stands by.',
      payload: plain(TunnelAttached),
    },
    tunnelPaired: {
      name: 'paired',
      title: 'paired',
      summary: 'An operator is at the other end.',
      payload: plain(TunnelPaired),
    },
  };
  const batch = {
    upBatch: {
      name: 'batch',
      title: 'batch',
      summary: 'Several messages of one lane with consecutive seqs, each as it would travel alone.',
      contentType: 'application/json',
      payload: plain(Batch),
    },
  };
  const inChannel = (channel: string, messages: Json) =>
    Object.keys(messages).map((name) => reference(`channels/${channel}/messages/${name}`));
  const members = (messages: Json) =>
    Object.fromEntries(Object.keys(messages).map((name) => [name, reference(`components/messages/${name}`)]));
  const sent = { ...up.messages, ...batch };

  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Bowline wire protocol',
      version: '1.0.0',
      description:
        'One WebSocket joins a device to its cloud; subprotocol bowline.v1, one JSON message a text frame. Generated from the schemas in libs/messages by `npm run docs:asyncapi`; do not edit.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      fleet: {
        host: '{host}',
        protocol: 'wss',
        description: 'The cloud of a fleet.',
        variables: { host: { description: 'Told at enrolment.', default: 'fleet.example.org' } },
        security: [reference('components/securitySchemes/deviceToken')],
      },
    },
    channels: {
      link: {
        address: '/v1/devices/{deviceId}/link',
        title: 'Link',
        description: 'The one connection between a device and its cloud.',
        parameters: { deviceId: { description: 'The id that the device was given at enrolment.' } },
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
        messages: { ...members(sent), ...members(down.messages) },
      },
      tunnel: {
        address: '/v1/tunnels/{sessionId}/device',
        title: 'Tunnel',
        description: 'One byte stream of an SSH session; after `paired` every frame is binary and opaque.',
        parameters: { sessionId: { description: 'Of the grant in sshAccess.' } },
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
        messages: members(tunnel),
      },
    },
    operations: {
      sendUplink: {
        action: 'send',
        summary: 'What a device sends.',
        channel: reference('channels/link'),
        messages: inChannel('link', sent),
      },
      receiveDownlink: {
        action: 'receive',
        summary: 'What a device receives.',
        channel: reference('channels/link'),
        messages: inChannel('link', down.messages),
      },
      receiveTunnel: {
        action: 'receive',
        summary: 'What a device is told on a tunnel before it is paired.',
        channel: reference('channels/tunnel'),
        messages: inChannel('tunnel', tunnel),
      },
    },
    components: {
      schemas: { ...up.schemas, ...down.schemas },
      messages: { ...sent, ...down.messages, ...tunnel },
      securitySchemes: {
        deviceToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: "EdDSA, signed by the device's own key, at most 60 s old (protocol, section 1).",
        },
      },
    },
  };
}
