import { SSH_CAPABILITIES } from '@bowline/messages/names';

/** What stands in the form of the page, as text: from an address that somebody was led to, or as the person left it. */
export interface AccessForm {
  device: string;
  user: string;
  reason: string;
  minutes: string;
  capabilities: string[];
  streams: string;
  idleMinutes: string;
  record: boolean;
  operator: string;
}

const FALLBACK = { minutes: '15', streams: '3', idleMinutes: '10', capabilities: ['pty', 'exec'] };

/**
 * A form from an address or a body. Whatever is in it is only proposed: it counts once the person has sent it with his token.
 * Programs that make an address may say `seconds` and `idleSeconds`.
 */
export function accessForm(fields: URLSearchParams): AccessForm {
  const field = (name: string, fallback = '') => fields.get(name) ?? fallback;
  const minutes = (name: string, seconds: string, fallback: string) => {
    const told = Number(fields.get(seconds) ?? Number.NaN);
    return fields.get(name) ?? (told > 0 ? String(Math.ceil(told / 60)) : fallback);
  };
  const named = fields.getAll('capability').flatMap((each) => each.split(','));
  const sent = fields.has('operator');
  return {
    device: field('device'),
    user: field('user'),
    reason: field('reason'),
    minutes: minutes('minutes', 'seconds', FALLBACK.minutes),
    capabilities:
      named.length > 0 || sent
        ? SSH_CAPABILITIES.filter((name) => named.includes(name))
        : FALLBACK.capabilities,
    streams: field('streams', FALLBACK.streams),
    idleMinutes: minutes('idleMinutes', 'idleSeconds', FALLBACK.idleMinutes),
    record: fields.has('record'),
    operator: field('operator'),
  };
}

/** The wish that a form says, to be checked by its schema. */
export function wishIn(form: AccessForm): unknown {
  return {
    deviceId: form.device.trim(),
    user: form.user.trim(),
    reason: form.reason.trim(),
    seconds: Number(form.minutes) * 60,
    capabilities: form.capabilities,
    streams: Number(form.streams),
    idleSeconds: Number(form.idleMinutes) * 60,
    record: form.record,
  };
}
