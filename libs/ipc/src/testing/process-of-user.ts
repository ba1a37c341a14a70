import { writeSync } from 'node:fs';
import { BowlineError } from '@bowline/runtime/errors';

/**
 * Becomes the user and group `id`, and no other group. By the process itself, once its code is loaded: the checkout need not
 * be one that this user can read.
 */
export function becomeUser(id: number): void {
  process.setgroups?.([id]);
  process.setgid?.(id);
  process.setuid?.(id);
}

/** To the test that started this process. */
export const say = (what: string): number => writeSync(1, `${what}\n`);

export const complaint = (error: unknown): string =>
  error instanceof BowlineError ? `${error.code}: ${error.message}` : String(error);
