import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';

/** What an operator may have signed, by the type of the order: the signer's own policy. */
export type Rules = Record<string, object>;

/** The token of an operator of a {@link TestSigner}. */
export const signerToken = (operator: string): string => `the-token-of-${operator}`;

/** The built signer as a process of its own, with a folder, a policy and an audit log that nobody else has. */
export class TestSigner {
  readonly url: string;
  readonly process: TestProcess;
  readonly #folder: string;

  /**
   * @param keys files by role.
   * @param operators rules by the name of the operator.
   * @param settings beside the defaults.
   */
  static async start(
    keys: Record<string, string>,
    operators: Record<string, Rules>,
    settings: Record<string, string> = {},
  ): Promise<TestSigner> {
    const folder = temporaryFolder();
    const named = Object.entries(operators).map(([name, rules]) => {
      const tokenSha256 = createHash('sha256').update(signerToken(name)).digest('hex');
      return [name, { tokenSha256, ...rules }];
    });
    const policyFile = join(folder, 'policy.json');
    writeFileSync(policyFile, JSON.stringify({ operators: Object.fromEntries(named) }), { mode: 0o600 });
    const infoFile = join(folder, 'info.json');
    const flags = {
      stateDir: join(folder, 'state'),
      policyFile,
      ...Object.fromEntries(Object.entries(keys).map(([role, file]) => [`keys.${role}`, file])),
      port: '0',
      infoFile,
      ...settings,
    };
    const main = join(WORKSPACE, 'apps/signer/dist/main.js');
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const child = startProcess(process.execPath, [main, ...args]);
    await child.output(/"message":"listening"/);
    const { url } = JSON.parse(readFileSync(infoFile, 'utf8')) as { url: string };
    return new TestSigner(url, child, folder);
  }

  private constructor(url: string, child: TestProcess, folder: string) {
    this.url = url;
    this.process = child;
    this.#folder = folder;
  }

  /** Its audit log. */
  audit(): Record<string, unknown>[] {
    const lines = readFileSync(join(this.#folder, 'state/audit.ndjson'), 'utf8').trimEnd().split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}
