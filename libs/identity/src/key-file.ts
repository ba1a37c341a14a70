import { createPrivateKey } from 'node:crypto';
import { ConfigError, hasCode, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { createKey, keyFromPem, type SigningKey } from './key.ts';
import { readOwnedFile } from './owned-file.ts';

const MAX_BYTES = 16_384;

/** Makes a key in a file of its own (0600), encrypted if there is a passphrase (PKCS#8, AES-256). */
export async function createKeyFile(file: string, passphrase?: string): Promise<SigningKey> {
  if (readFileIfPresent(file) !== undefined)
    throw new ConfigError('key-exists', `${file} holds a key already`);
  const key = await createKey();
  writeFileDurably(file, passphrase === undefined ? key.privatePem : encrypted(key, passphrase));
  return key;
}

export const isEncrypted = (pem: string): boolean => pem.includes('BEGIN ENCRYPTED PRIVATE KEY');

/**
 * @param passphrase asked for only if the file is encrypted.
 * @throws ConfigError `no-key`, `file-unsafe` (others may read it), `bad-key`.
 */
export async function readKeyFile(file: string, passphrase: () => Promise<string>): Promise<SigningKey> {
  const pem = read(file);
  if (!isEncrypted(pem)) return keyFromPem(pem);
  const secret = await passphrase();
  try {
    const plain = createPrivateKey({ key: pem, passphrase: secret });
    return await keyFromPem(plain.export({ type: 'pkcs8', format: 'pem' }).toString());
  } catch (error) {
    throw new ConfigError('bad-key', `the passphrase does not open ${file}`, { cause: error });
  }
}

function read(file: string): string {
  try {
    return readOwnedFile(file, MAX_BYTES, { secret: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT'))
      throw new ConfigError('no-key', `there is no key in ${file}`, { cause: error });
    throw error;
  }
}

function encrypted({ privatePem }: SigningKey, passphrase: string): string {
  const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(privatePem).export(cipher).toString();
}
