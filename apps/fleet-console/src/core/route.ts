/** What the fragment of the address says: `#token=…` from the terminal, `#/DEVICE_ID` and `#rollouts` while one looks around. */

export type Fragment =
  | { kind: 'token'; token: string; deviceId?: string }
  | { kind: 'device'; deviceId: string }
  | { kind: 'rollouts' }
  | { kind: 'none' };

export function readFragment(fragment: string): Fragment {
  const text = fragment.replace(/^#/, '');
  if (text.startsWith('/')) {
    const deviceId = safeDecode(text.slice(1));
    return deviceId === '' ? { kind: 'none' } : { kind: 'device', deviceId };
  }
  if (`#${text}` === ROLLOUTS_FRAGMENT) return { kind: 'rollouts' };
  const fields = new URLSearchParams(text);
  const token = fields.get('token')?.trim() ?? '';
  const deviceId = fields.get('device');
  if (token === '') return { kind: 'none' };
  return { kind: 'token', token, ...(deviceId && { deviceId }) };
}

export const ROLLOUTS_FRAGMENT = '#rollouts';

export const deviceFragment = (deviceId: string): string => `#/${encodeURIComponent(deviceId)}`;

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
