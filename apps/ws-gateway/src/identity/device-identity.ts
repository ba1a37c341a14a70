import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keyFromPem, loadOrCreateKey, type SigningKey } from '@bowline/identity';
import { ConfigError, writeFileDurably, type LiveConfig, type Logger } from '@bowline/runtime';
import { readProxy, type ProxySettings } from '@bowline/runtime/proxy';
import { LinkError } from '../connection/link-error.ts';
import { tlsSettings, type TlsSettings } from '../connection/tls-settings.ts';
import type { GatewayConfig } from '../config.ts';
import { enrol, enrolmentError, type EnrolmentSurroundings, type EnrolmentWish } from './enrol.ts';
import type { Enrolment } from './enrolment-schema.ts';
import { hashOfToken, readTokenFile } from './enrolment-token-file.ts';
import { loadEnrolment, saveEnrolment } from './kept-enrolment.ts';
import type { SigningTime } from './signing-time.ts';

export interface DeviceIdentityOptions {
  /** As it is now: the link's part of it may change. */
  live: Pick<LiveConfig<GatewayConfig>, 'current'>;
  agentVersion: string;
  signingTime: SigningTime;
  /** Told of an enrolment before it counts, and at each start. */
  accepted: (enrolment: Enrolment) => Promise<void>;
  log: Logger;
}

/** What a link needs to prove who the device is. */
export interface LinkIdentity {
  key: SigningKey;
  enrolment: Enrolment;
  tls: TlsSettings;
  /** Undefined: the way is direct. */
  proxy: ProxySettings | undefined;
}

/**
 * Who this device is: its key, which never leaves it, and what a server made of that. The only writer of both files.
 *
 * A new key waits beside the old one (`device.next.pem`) until an enrolment names it: the enrolment, one file written
 * durably, decides which of the two counts, so that a kill at any instruction leaves a device that can still connect or
 * ask again.
 */
export class DeviceIdentity {
  readonly #options: DeviceIdentityOptions;
  readonly #keyFile: string;
  readonly #nextKeyFile: string;
  readonly #tokenFile: string;
  #key: SigningKey | undefined;
  #enrolment: Enrolment | undefined;
  /** Told when the device has been enrolled, for the first time or anew. */
  onChanged: () => void = () => {};
  /** A server has said what it thinks of the key that waits. */
  #nextKeyJudged = false;
  /** One change at a time. */
  #last: Promise<unknown> = Promise.resolve();

  /** Reads what is there. Files that cannot be used are reported, here and by each attempt at a link. */
  static async open(options: DeviceIdentityOptions): Promise<DeviceIdentity> {
    const identity = new DeviceIdentity(options);
    try {
      await identity.#read();
      await identity.#ownKey();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      options.log.error({ code: error.code }, error.message);
    }
    return identity;
  }

  private constructor(options: DeviceIdentityOptions) {
    const { stateDir, enrolment } = options.live.current;
    this.#options = options;
    this.#keyFile = join(stateDir, 'device.pem');
    this.#nextKeyFile = join(stateDir, 'device.next.pem');
    this.#tokenFile = enrolment.tokenFile ?? join(stateDir, 'enrolment-token');
  }

  get #config(): GatewayConfig {
    return this.#options.live.current;
  }

  /** undefined as long as the device is not enrolled. */
  get enrolment(): Enrolment | undefined {
    return this.#enrolment;
  }

  /** The key, made now if there is none. @throws ConfigError `bad-key` */
  key(): Promise<SigningKey> {
    return this.#exclusively(() => this.#ownKey());
  }

  /**
   * Enrols first where that has not happened, by what the configuration says.
   *
   * @throws LinkError stage `enrol`; ConfigError `bad-key`, `bad-enrolment`, `bad-certificate`, `token-unreadable`
   */
  forLink(): Promise<LinkIdentity> {
    return this.#exclusively(async () => {
      await this.#read();
      if (this.#enrolment === undefined) await this.#enrolByConfig();
      else await this.#settleNextKey(this.#enrolment);
      const key = await this.#ownKey();
      const enrolment = this.#enrolment;
      if (enrolment === undefined) throw enrolmentError('not-enrolled', 'the device is not enrolled');
      const { link } = this.#config;
      return { key, enrolment, tls: tlsSettings(link, enrolment.ca), proxy: readProxy(link, 'link.') };
    });
  }

  /**
   * By the wish of a person at the device, enrolled or not. What is queued stays.
   *
   * @param newKey the device is to have another key from then on.
   * @throws as {@link forLink}
   */
  enrolBy(wish: EnrolmentWish, { newKey }: { newKey: boolean }): Promise<Enrolment> {
    return this.#exclusively(async () => {
      const key = newKey ? await loadOrCreateKey(this.#nextKeyFile) : await this.#ownKey();
      const enrolment = await enrol(wish, this.#around(key));
      await this.#adopt(key, enrolment);
      return enrolment;
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #ownKey(): Promise<SigningKey> {
    return (this.#key ??= await loadOrCreateKey(this.#keyFile));
  }

  /** The files as they are, and what a kill has left half done. */
  async #read(): Promise<void> {
    if (this.#enrolment !== undefined) return;
    const kept = loadEnrolment(this.#config.stateDir);
    if (kept === undefined) return;
    const named = kept.made?.keyThumbprint;
    const next = await this.#nextKey();
    if (named !== undefined && next?.thumbprint === named) this.#promote(next);
    const key = await this.#ownKey();
    if (named !== undefined && key.thumbprint !== named) {
      const message = `the enrolment is that of another key (${named}): enrol the device anew (bowline enroll)`;
      throw new ConfigError('bad-enrolment', message);
    }
    await this.#options.accepted(kept);
    this.#enrolment = kept;
    this.#clearToken(kept);
  }

  async #enrolByConfig(): Promise<void> {
    const { server, factoryRoot } = this.#config.enrolment;
    if (server === undefined) {
      const how = 'bowline enroll --server URL --token TOKEN, or set enrolment.server';
      throw enrolmentError('not-enrolled', `the device is not enrolled: ${how}`);
    }
    const token = readTokenFile(this.#tokenFile);
    if (token === undefined && factoryRoot === undefined) {
      const message = `the device is not enrolled: put a token into ${this.#tokenFile}, or bowline enroll`;
      throw enrolmentError('not-enrolled', message);
    }
    const key = await this.#ownKey();
    await this.#adopt(key, await enrol({ server, token, trustOnFirstUse: false }, this.#around(key)));
  }

  /**
   * A change of the key was cut short, and the server may have heard of the new one: then the old one is no longer good.
   * A server that knows a key answers without a token.
   */
  async #settleNextKey(kept: Enrolment): Promise<void> {
    const next = this.#nextKeyJudged ? undefined : await this.#nextKey();
    if (next === undefined || kept.made === undefined) return;
    const { server, rootThumbprint, trustedBy } = kept.made;
    try {
      const around = { ...this.#around(next), factoryRoot: rootThumbprint };
      const { made, ...told } = await enrol({ server, token: undefined, trustOnFirstUse: false }, around);
      await this.#adopt(next, made === undefined ? told : { ...told, made: { ...made, trustedBy } });
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#nextKeyJudged = error.status !== undefined;
      this.#options.log.info(
        { code: error.code },
        'the server does not know the key that waits: the old one stays',
      );
    }
  }

  async #nextKey(): Promise<SigningKey | undefined> {
    if (!existsSync(this.#nextKeyFile)) return undefined;
    return keyFromPem(readFileSync(this.#nextKeyFile, 'utf8'));
  }

  async #adopt(key: SigningKey, enrolment: Enrolment): Promise<void> {
    await this.#options.accepted(enrolment);
    saveEnrolment(this.#config.stateDir, enrolment);
    if (key.thumbprint !== this.#key?.thumbprint) this.#promote(key);
    this.#enrolment = enrolment;
    this.#clearToken(enrolment);
    this.onChanged();
    const { deviceId, serverId, made } = enrolment;
    this.#options.log.info({ deviceId, serverId, trustedBy: made?.trustedBy }, 'enrolled');
    if (made?.trustedBy === 'first-use')
      this.#options.log.warn(
        { rootThumbprint: made.rootThumbprint },
        'TRUSTED ON FIRST USE: nothing vouched for this server but its own word; compare the root thumbprint with it',
      );
  }

  #promote(key: SigningKey): void {
    writeFileDurably(this.#keyFile, key.privatePem);
    rmSync(this.#nextKeyFile, { force: true });
    this.#key = key;
  }

  /** Also what a kill between enrolment and erasure left behind. */
  #clearToken({ made }: Enrolment): void {
    const { log } = this.#options;
    try {
      const left = readTokenFile(this.#tokenFile);
      if (left === undefined) return;
      if (hashOfToken(left) === made?.tokenHash) return rmSync(this.#tokenFile, { force: true });
    } catch (error) {
      log.error(
        { file: this.#tokenFile, error },
        'if the token is still here, remove it: the gateway cannot',
      );
      return;
    }
    log.warn(
      { file: this.#tokenFile },
      'a token lies here that an enrolled device does not use: remove it, or enrol anew with bowline enroll',
    );
  }

  #around(key: SigningKey): EnrolmentSurroundings {
    const { agentVersion, signingTime, log } = this.#options;
    const { link, enrolment } = this.#config;
    return {
      key,
      tls: tlsSettings(link),
      proxy: readProxy(link, 'link.'),
      factoryRoot: enrolment.factoryRoot,
      allowInsecure: link.allowInsecure,
      agentVersion,
      signingTime,
      log,
    };
  }
}
