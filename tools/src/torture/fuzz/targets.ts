import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  parseEnrolmentToken,
  checkTime,
  verifyClaims,
  verifyEnrolmentProof,
  verifyLinkToken,
  verifyTrustBundle,
} from '@bowline/identity';
import { judgeCommand, judgeParams, judgeSsh, judgeUpdate, parsePolicy } from '@bowline/identity/policy';
import { check, type EnrolmentRequest, type TrustBundleJws } from '@bowline/messages';
import { decodeDownlink } from '@bowline/messages/downlink';
import { enrolmentRequest, enrolmentResponse } from '@bowline/messages/http';
import { accessWish } from '@bowline/messages/signer';
import { checkUplink, decodeUplinkFrame } from '@bowline/messages/uplink';
import { decodeManifest } from '@bowline/releases';
import { ContractError, RejectedError } from '@bowline/runtime/errors';
import { loadConfig } from '@bowline/runtime';
import type { ValidateFunction } from 'ajv';
import { WORKSPACE } from '../../test/run.ts';
import {
  DEVICE_ID,
  ipcCorpus,
  NOW_MS,
  ORDER_ID,
  ORIGIN,
  SERVER_ID,
  signedCorpus,
  vectors,
} from './corpus.ts';
import { faultInCode } from './oracle.ts';

/** A decoder of ours, and what it decodes. */
export interface Target {
  name: string;
  /** Values, or texts that are no JSON; at least one is accepted. */
  corpus: readonly unknown[];
  /** Throws what the decoder throws. */
  take(text: string): unknown;
}

const HASH = '0'.repeat(64);
const MANIFEST = {
  format: 1,
  kind: 'app',
  name: 'kiosk',
  version: '1.2.3',
  channel: 'stable',
  files: [
    { path: 'bin/kiosk', size: 3, sha256: HASH, executable: true },
    { path: 'lib/a', size: 3, sha256: HASH },
  ],
  folders: ['var'],
  links: [{ path: 'current', target: 'bin/kiosk' }],
  minSecureVersion: '1.0.0',
  probe: { command: ['bin/kiosk', '--check'], http: 'http://127.0.0.1:80/', timeoutMs: 1000 },
};

const UPLINK_BYTES = 65_536;

/** Every decoder that stands where something comes in, as it is in the sources. */
export async function targets(): Promise<Target[]> {
  const [uplink, downlink, signed] = [vectors('uplink'), vectors('downlink'), await signedCorpus()];
  return [
    { name: 'manifests of releases', corpus: [MANIFEST], take: decodeManifest },
    { name: 'frames from the server', corpus: downlink, take: (text) => decodeDownlink(text) },
    { name: 'frames from a device', corpus: uplink, take: (text) => decodeUplinkFrame(text, UPLINK_BYTES).messages.map(checkUplink) },
    await explanation([...uplink, ...downlink]),
    await ipcFrames(uplink),
    ...(await configurations()),
    policy(),
    ...identity(signed),
    ...(await bodies(signed)),
  ]; // prettier-ignore
}

async function explanation(corpus: readonly unknown[]): Promise<Target> {
  const { explainFrame, framesIn } = (await load('apps/cli/src/core/explain-frame.ts')) as {
    explainFrame: (text: string) => { code?: string };
    framesIn: (capture: string) => string[];
  };
  const take = (text: string) => {
    for (const { code } of framesIn(text).map((frame) => explainFrame(frame))) {
      if (code === undefined) continue;
      const fault = faultInCode(code);
      if (fault !== undefined) throw new Error(fault);
    }
  };
  return { name: 'frames that `bowline decode` explains', corpus, take };
}

interface Part {
  text: string;
}

/** The hub's end of a connection: frames as they come from the socket, through the parser into the channel. */
async function ipcFrames(uplink: readonly unknown[]): Promise<Target> {
  const { channelPair } = (await load('libs/ipc/src/testing/channel-pair.ts')) as {
    channelPair: (options: object) => {
      hub: {
        channel: { receive: (frame: unknown) => void };
        counters: { handlerFailures: number };
        events: string[];
      };
      wire: { toApp: Part[][]; delivers: boolean };
    };
  };
  const { createFrameParser } = (await load('libs/ipc/src/frame-parser.ts')) as {
    createFrameParser: (limits: object) => {
      read: (state: '', chunk: string, receive: (frame: { data: unknown }) => void) => unknown;
    };
  };
  const { limitsFrom } = (await load('libs/ipc/src/limits.ts')) as { limitsFrom: () => object };
  const parser = createFrameParser(limitsFrom());
  const refused = () => {
    throw new RejectedError('not-allowed', 'nobody is here to do it');
  };
  const { hub, wire } = channelPair({ hub: { onRequest: refused } });
  wire.delivers = false;
  return {
    name: 'IPC frames',
    corpus: ipcCorpus(uplink),
    async take(text) {
      parser.read('', `${text}\f`, ({ data }) => hub.channel.receive(data));
      await new Promise(setImmediate); // answers go out in the next turn
      const answers = wire.toApp.splice(0).flat();
      hub.events.length = 0;
      for (const answer of answers) {
        const [kind, , body] = JSON.parse(answer.text) as [string, number, { code: string }];
        const fault = kind === 'error' ? faultInCode(body.code) : undefined;
        if (fault !== undefined) throw new Error(fault);
      }
      if (hub.counters.handlerFailures > 0) throw new Error('the channel could not handle it');
    },
  };
}

const ON_DEVICE = { stateDir: '/s', hubFolder: '/h' };

/** A configuration that each app accepts. */
const CONFIGURATIONS: Readonly<Record<string, object>> = {
  'command-executor': { ...ON_DEVICE, maxConcurrent: 2, policyFile: '/p' },
  'fleet-server': { stateDir: '/s', listen: { port: 0 }, keep: { orders: 5 }, trustedProxies: ['127.0.0.1'] },
  'ota-updater': { ...ON_DEVICE },
  signer: { stateDir: '/s', policyFile: '/p', keys: { command: '/k' } },
  'ssh-broker': { ...ON_DEVICE, sshdPath: '/x' },
  'telemetry-collector': { ...ON_DEVICE, series: { cpu: { intervalMs: '5' } }, telemetry: { commitMs: 0 } },
  'ws-gateway': {
    ...ON_DEVICE,
    link: { url: 'wss://a', backoffBaseMs: 5 },
    queue: { events: { messages: 99 } },
  },
};

/** The configuration file of every app, and flags and environment of one. */
async function configurations(): Promise<Target[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bl-fuzz-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'config.json');
  const configOf = async (app: string) =>
    ((await load(`apps/${app}/src/generated/config.js`)) as { config: ValidateFunction }).config;
  const files = Object.entries(CONFIGURATIONS).map(async ([app, good]): Promise<Target> => {
    const config = await configOf(app);
    const take = (text: string) => {
      writeFileSync(file, text);
      return loadConfig(config, { app, args: ['--config', file], env: {} });
    };
    return { name: `configuration of ${app}`, corpus: [good], take };
  });
  const [app, config] = ['ws-gateway', await configOf('ws-gateway')];
  const args = ['--stateDir=/s', '--hub-folder', '/h'];
  return [
    ...(await Promise.all(files)),
    {
      name: 'flags',
      corpus: ['--link.backoff-base-ms=5', '--queue={"events":{"messages":99}}'],
      take: (text) => loadConfig(config, { app, args: [...args, text], env: {} }),
    },
    {
      name: 'environment',
      corpus: ['LINK__BACKOFF_BASE_MS=5', 'QUEUE={"events":{"messages":99}}'],
      take(text) {
        const [name = '', ...value] = text.split('=');
        return loadConfig(config, { app, args, env: { [`BOWLINE_WS_GATEWAY__${name}`]: value.join('=') } });
      },
    },
  ];
}

function policy(): Target {
  const params = { type: 'object', properties: { n: { type: 'integer', minimum: 1 } }, required: ['n'] };
  return {
    name: 'policy of a device',
    corpus: [
      { commands: { ping: {}, reboot: { signed: true, maxTimeoutMs: 1000, users: ['root'] } } },
      { commands: { ping: { params } } },
      {
        updates: { channels: ['stable'] },
        ssh: { users: ['support'], maxSeconds: 60, capabilities: ['shell'] },
      },
    ],
    async take(text) {
      const held = await parsePolicy(text, 'policy');
      for (const name of ['ping', 'constructor', '__proto__', text.slice(0, 10)]) {
        judgeCommand(held, { name, signed: false, timeoutMs: 5 });
        judgeParams(held, { name, params: { n: 1 }, user: 'root' });
      }
      judgeUpdate(held, { channel: 'stable' });
      judgeSsh(held, { user: 'support', seconds: 5, capabilities: ['shell'] });
    },
  };
}

type Signed = Awaited<ReturnType<typeof signedCorpus>>;

function identity({ key, bundle, token, enrolment, trust, linkToken, claims }: Signed): Target[] {
  const held = { bundle, deviceId: DEVICE_ID, groups: ['all'], orderId: ORDER_ID };
  const link = { deviceId: DEVICE_ID, serverId: SERVER_ID, publicKey: key.publicJwk, nowMs: NOW_MS };
  const answer = { deviceId: DEVICE_ID, name: 'd', groups: [], serverId: SERVER_ID, link: 'wss://a', trust, serverTime: NOW_MS }; // prettier-ignore
  return [
    {
      name: 'requests to enrol',
      corpus: [enrolment],
      async take(text) {
        const {
          publicKey,
          proof,
          token: given,
        } = check<EnrolmentRequest>(enrolmentRequest, json(text), 'body');
        if (given !== undefined) parseEnrolmentToken(given);
        await verifyEnrolmentProof(proof, { publicKey, origin: ORIGIN, nowMs: NOW_MS });
      },
    },
    { name: 'enrolment tokens', corpus: [token], take: parseEnrolmentToken },
    {
      name: 'trust bundles in answers to enrolment',
      corpus: [answer],
      async take(text) {
        const given = check<{ trust: TrustBundleJws }>(enrolmentResponse, json(text), 'answer');
        await verifyTrustBundle(given.trust, { rootThumbprint: key.thumbprint });
        await verifyTrustBundle(given.trust, { held: bundle });
      },
    },
    { name: 'link tokens', corpus: [linkToken], take: (text) => verifyLinkToken(text, link) },
    {
      name: 'signatures of orders',
      corpus: [claims],
      async take(text) {
        checkTime((await verifyClaims('command', text, held)).claims, NOW_MS);
      },
    },
  ];
}

/** Bodies of the operators' API and of the signer, by the schemas that the apps compile. */
async function bodies({ key, trust, claims }: Signed): Promise<Target[]> {
  const good: Record<string, unknown> = {
    order: { type: 'command', payload: { name: 'ping', params: {}, signed: claims }, expiresInMs: 1000 },
    config: { sections: { 'ws-gateway': { link: { backoffBaseMs: 5 } } }, version: 2, confirmWithinMs: 1000 },
    enrolmentToken: { deviceId: 'd', name: 'n', groups: ['g'], expiresInMs: 1000, maxUses: 2 },
    device: { deviceId: 'd', publicKey: key.publicJwk, name: 'n', groups: ['g'] },
    operator: { name: 'ann', role: 'admin', label: 'l', expiresInMs: 1000 },
    operatorToken: { label: 'l', expiresInMs: 1000 },
    trust: { trust },
    sshSession: { expiresInMs: 60_000, streams: 2, user: 'support', reason: 'r' },
    rollout: { order: claims, maxFailedPercent: 5 },
    rolloutStage: { order: claims },
    rolloutHalt: { reason: 'r' },
    policy: { operators: { ann: { tokenSha256: '0'.repeat(64), command: { audiences: ['*'], maxSeconds: 60, names: ['*'] } } } },
    request: { type: 'command', claims: { aud: 'd', exp: 1 } },
  }; // prettier-ignore
  const found: Target[] = [];
  for (const app of ['fleet-server', 'signer']) {
    const validators = (await load(`apps/${app}/src/generated/bodies.js`)) as Record<
      string,
      ValidateFunction
    >;
    for (const [name, validate] of Object.entries(validators)) {
      const take = (text: string) => check(validate, json(text), 'body');
      found.push({ name: `${app}: ${name}`, corpus: [good[name]], take });
    }
  }
  return [...found, await accessForms()];
}

/** What a browser sends of the page of the signer. */
async function accessForms(): Promise<Target> {
  const { accessForm, wishIn } = (await load('apps/signer/src/core/access-form.ts')) as {
    accessForm: (fields: URLSearchParams) => unknown;
    wishIn: (form: unknown) => unknown;
  };
  return {
    name: 'signer: forms of access',
    corpus: ['device=d1&user=support&reason=r&minutes=5&idleMinutes=5&streams=2&capability=pty&operator=ada'],
    take: (text) => check(accessWish, wishIn(accessForm(new URLSearchParams(text))), 'form'),
  };
}

/** As whoever reads a body does: what is no JSON is refused before any of our code sees it. */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ContractError('broken-json', 'not JSON');
  }
}

/** By path, as the apps' own code is nothing that another package may import. */
const load = (path: string): Promise<unknown> =>
  import(/* @vite-ignore */ pathToFileURL(join(WORKSPACE, path)).href) as Promise<unknown>;
