import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sshClientConfig } from '../core/ssh-wish.ts';
import { CliError, EXIT } from '../core/cli-error.ts';

/** Key and configuration for one session, in a folder (0700) that goes with it. */
export class SessionFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bowline-ssh-'));

  get config(): string {
    return this.#at('config');
  }

  /** A key pair for this session alone. @returns its public half. @throws CliError `no-ssh` */
  async makeKey(): Promise<string> {
    try {
      await promisify(execFile)('ssh-keygen', [
        '-q',
        '-t',
        'ed25519',
        '-N',
        '',
        '-C',
        'bowline',
        '-f',
        this.#at('key'),
      ]);
    } catch (cause) {
      throw new CliError('no-ssh', 'ssh-keygen could not be started.', {
        exitCode: EXIT.notReady,
        advice: 'Install the OpenSSH client (Debian: openssh-client).',
        cause,
      });
    }
    return readFileSync(this.#at('key.pub'), 'utf8').trim();
  }

  /** @param tunnel where and with which token the proxy gets through; not on its command line, which others may see. */
  write(facts: {
    deviceId: string;
    user: string;
    sessionId: string;
    hostKey: string;
    identityFile: string | undefined;
    tunnel: { url: string; token: string };
    sshProxy: string;
    agentForward: boolean;
  }): void {
    const { deviceId, user, sessionId, hostKey, tunnel, sshProxy, agentForward } = facts;
    const write = (name: string, text: string) => writeFileSync(this.#at(name), text, { mode: 0o600 });
    write('known_hosts', `${sessionId} ${hostKey}\n`);
    write('tunnel.json', JSON.stringify(tunnel));
    write(
      'config',
      sshClientConfig({
        deviceId,
        user,
        identityFile: facts.identityFile ?? this.#at('key'),
        knownHostsFile: this.#at('known_hosts'),
        hostKeyAlias: sessionId,
        agentForward,
        proxyCommand: [process.execPath, sshProxy, this.#at('tunnel.json')]
          .map((part) => `"${part}"`)
          .join(' '),
      }),
    );
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }
}
