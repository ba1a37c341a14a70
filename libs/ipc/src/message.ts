/** What travels inside a frame: one JSON array a message, its first member the kind (docs/ipc.md). */
export type IpcMessage =
  | IpcRequest
  | { kind: 'response'; id: number; body: unknown }
  | { kind: 'error'; id: number; error: { code: string; message: string; retryable: boolean } }
  | { kind: 'notification'; name: string; body: unknown };

/** `lines` is how many lines of the frame belong to it, taken in order of the requests. */
export interface IpcRequest {
  kind: 'request';
  id: number;
  name: string;
  body: unknown;
  lines: number;
}

/** @param lines how many lines of the frame belong to the request. */
export const encodeRequest = (id: number, name: string, bodyText: string, lines: number) =>
  `["request",${id},"${name}",${bodyText}${lines === 0 ? '' : `,${lines}`}]`;
export const encodeResponse = (id: number, bodyText: string) => `["response",${id},${bodyText}]`;
export const encodeError = (id: number, error: { code: string; message: string; retryable: boolean }) =>
  `["error",${id},${JSON.stringify(error)}]`;
export const encodeNotification = (name: string, bodyText: string) =>
  `["notification","${name}",${bodyText}]`;

/** The shape of a message only; its body is checked against the schema of its name. Undefined if it has another shape. */
export function readMessage(value: unknown): IpcMessage | undefined {
  if (!Array.isArray(value)) return undefined;
  const [kind, first, second, third, lines = 0] = value as unknown[];
  if (kind === 'notification') {
    return typeof first === 'string' ? { kind, name: first, body: second } : undefined;
  }
  if (typeof first !== 'number' || !Number.isSafeInteger(first)) return undefined;
  if (kind === 'request') {
    if (typeof second !== 'string' || !isCount(lines)) return undefined;
    return { kind, id: first, name: second, body: third, lines };
  }
  if (kind === 'response') return { kind, id: first, body: second };
  if (kind === 'error' && isWireError(second)) return { kind, id: first, error: second };
  return undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isWireError(value: unknown): value is { code: string; message: string; retryable: boolean } {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message, retryable } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string' && typeof retryable === 'boolean';
}
