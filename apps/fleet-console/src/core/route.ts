/** What the fragment of the address says: `#token=…` from the terminal, `#/DEVICE_ID` while one looks around. */

export type Fragment =
  | { kind: 'token'; token: string; deviceId?: string }
  | { kind: 'device'; deviceId: string }
  | { kind: 'none' };

export function readFragment(fragment: string): Fragment {
  const text = fragment.replace(/^#/, '');
  if (text.startsWith('/')) {
    const deviceId = safeDecode(text.slice(1));
    return deviceId === '' ? { kind: 'none' } : { kind: 'device', deviceId };
  }
  const fields = new URLSearchParams(text);
  const token = fields.get('token')?.trim() ?? '';
  const deviceId = fields.get('device');
  if (token === '') return { kind: 'none' };
  return { kind: 'token', token, ...(deviceId && { deviceId }) };
}

export const deviceFragment = (deviceId: string): string => `#/${encodeURIComponent(deviceId)}`;

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
