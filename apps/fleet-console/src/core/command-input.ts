import type { JsonValue } from './json.ts';

export interface CommandInput {
  name: string;
  /** JSON text, empty for none. */
  params: string;
  /** How long the order may wait, milliseconds; absent for ever. */
  expiresInMs?: number;
}

export type CheckedCommand =
  | { ok: true; payload: { name: string; params: Record<string, JsonValue> } }
  | { ok: false; field: 'name' | 'params'; reason: string };

/** The names that the wire allows (protocol; `Name` in libs/messages). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** Says in words what keeps a command from being sent. */
export function checkCommand({ name, params }: CommandInput): CheckedCommand {
  if (name.trim() === '') return { ok: false, field: 'name', reason: 'Name the command, for example ping.' };
  if (!NAME.test(name.trim())) {
    return {
      ok: false,
      field: 'name',
      reason:
        'A name has letters, digits and . _ : / - only, at most 128, and starts with a letter or digit.',
    };
  }
  if (params.trim() === '') return { ok: true, payload: { name: name.trim(), params: {} } };
  try {
    const value = JSON.parse(params) as JsonValue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { ok: false, field: 'params', reason: 'Parameters are a JSON object, such as {"seconds": 5}.' };
    }
    return { ok: true, payload: { name: name.trim(), params: value } };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ok: false, field: 'params', reason: `This is not JSON: ${detail}` };
  }
}
