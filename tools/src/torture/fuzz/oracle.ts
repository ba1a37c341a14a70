import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BowlineError, InternalError } from '@bowline/runtime/errors';
import { WORKSPACE } from '../../test/run.ts';
import { codesInDocument } from '../../workspace/error-codes.ts';

const LISTED = codesInDocument(readFileSync(join(WORKSPACE, 'docs/errors.md'), 'utf8'));

/** What a decoder answered that docs/errors.md does not allow it to; undefined if all is well. */
export function faultIn(error: unknown): string | undefined {
  if (error instanceof InternalError) return `blames itself (${error.code}): ${error.message}`;
  if (error instanceof BowlineError) return faultInCode(error.code);
  // node-ipc's own class for what ends a connection; its codes are ours (libs/ipc/src/frame-parser.ts).
  if (error instanceof Error && error.name === 'IPCProtocolError' && 'code' in error)
    return faultInCode(String(error.code));
  return `crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

export const faultInCode = (code: string): string | undefined =>
  LISTED.has(code) ? undefined : `answers with ${JSON.stringify(code)}, which docs/errors.md does not list`;

const CLEAN = prototypes();

/** Whether an input has changed what every object inherits. */
export const isPolluted = (): boolean => prototypes() !== CLEAN;

function prototypes(): string {
  return [Object.prototype, Array.prototype, Function.prototype]
    .flatMap((prototype) => Reflect.ownKeys(prototype).map(String))
    .join();
}
