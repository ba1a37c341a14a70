import { DemoError } from './demo-error.ts';

/** The few calls to the server's operators' API that the demo makes. */
export class FleetApi {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  async isHealthy(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/v1/health`, { signal: AbortSignal.timeout(2000) })).ok;
    } catch {
      return false;
    }
  }

  /** Whether the device is connected; false as well while the server does not answer or does not know it yet. */
  async isOnline(deviceId: string): Promise<boolean> {
    try {
      const response = await this.#call(`/v1/devices/${encodeURIComponent(deviceId)}`);
      return response.ok && ((await response.json()) as { online?: boolean }).online === true;
    } catch {
      return false;
    }
  }

  /** A token that enrols one device, once. */
  async enrolmentToken(deviceId: string, groups: string[] = []): Promise<string> {
    const wanted = { deviceId, name: 'Demo device', groups, maxUses: 1 };
    const response = await this.#call('/v1/enrolment-tokens', wanted);
    const { token } = (await response.json()) as { token?: string };
    if (response.ok && token !== undefined) return token;
    throw new DemoError(
      `The server gave no enrolment token (status ${response.status}).`,
      'Read .bowline/logs/fleet-server.log.',
    );
  }

  #call(path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5000),
    });
  }
}
