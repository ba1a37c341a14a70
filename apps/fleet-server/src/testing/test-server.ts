import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, systemClock, type Clock } from '@bowline/runtime';
import { afterThisFile, temporaryFolder } from '@bowline/testing';
import type { ServerConfig } from '../config.ts';
import { config as validateConfig } from '../generated/config.js';
import { startServer } from '../server.ts';
import { RawDevice } from './raw-device.ts';

export interface TestServer {
  url: string;
  stateDir: string;
  token: string;
  log: string[];
  stop(): Promise<void>;
  /** A call of the operators' API. */
  api(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** A device that is enrolled here. */
  device(deviceId: string): Promise<RawDevice>;
}

/** A quick machine makes more calls in a row than people do. */
const ROOMY = { enrolment: { burst: 100_000 }, operators: { callsBurst: 1_000_000 } };

/** The whole server in this process, on a free port, in a folder of its own. */
export async function startTestServer(
  config: Record<string, unknown> = {},
  { clock = systemClock }: { clock?: Clock } = {},
): Promise<TestServer> {
  const merged = {
    stateDir: join(temporaryFolder(), 'server'),
    port: 0,
    ...config,
    enrolment: { ...ROOMY.enrolment, ...(config['enrolment'] as object | undefined) },
    operators: { ...ROOMY.operators, ...(config['operators'] as object | undefined) },
  };
  if (!validateConfig(merged)) throw new Error(JSON.stringify(validateConfig.errors));
  const settled = merged as unknown as ServerConfig;
  const log: string[] = [];
  const infoFile = join(settled.stateDir, 'info.json');
  const running = await startServer({
    config: { ...settled, infoFile },
    log: createLogger({ app: 'fleet-server', level: 'debug', write: (line) => log.push(line) }),
    clock,
    ready: () => {},
    signal: new AbortController().signal,
    restart: () => {},
  });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= running.stop());
  afterThisFile(stop);
  const { url } = JSON.parse(readFileSync(infoFile, 'utf8')) as { url: string };
  const token = readFileSync(join(settled.stateDir, 'operator-token'), 'utf8').trim();
  const api = operatorsApi(url, token);
  return { url, stateDir: settled.stateDir, token, log, stop, api, device: (id) => enrolled(url, api, id) };
}

export function operatorsApi(url: string, token: string): TestServer['api'] {
  return async (method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
}

export async function enrolled(url: string, api: TestServer['api'], deviceId: string): Promise<RawDevice> {
  const { body } = await api('POST', '/v1/enrolment-tokens', { deviceId });
  const device = new RawDevice();
  const { status } = await device.enrol(url, String(body['token']));
  if (status !== 201) throw new Error(`enrolment answered ${status}`);
  return device;
}
