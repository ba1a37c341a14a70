import { useState } from 'preact/hooks';
import type { Device } from '@bowline/messages';
import { checkCommand } from '../core/command-input.ts';
import { usePage } from './page-context.ts';

/** An order that waits longer than its sender remembers it does harm; so it expires unless told otherwise. */
const EXPIRIES = [
  { label: '5 min', ms: 5 * 60_000 },
  { label: '1 h', ms: 3_600_000 },
  { label: '24 h', ms: 24 * 3_600_000 },
  { label: 'never', ms: undefined },
] as const;

type Sending =
  { kind: 'idle' } | { kind: 'busy' } | { kind: 'failed'; field?: 'name' | 'params'; reason: string };

/** Sends a command to the device. `names`: what was sent to it before. */
export function CommandForm({ device, names }: { device: Device; names: readonly string[] }) {
  const { fleet } = usePage();
  const [name, setName] = useState('');
  const [params, setParams] = useState('');
  const [expiry, setExpiry] = useState(1);
  const [sending, setSending] = useState<Sending>({ kind: 'idle' });

  const send = async (): Promise<void> => {
    const checked = checkCommand({ name, params });
    if (!checked.ok) {
      setSending({ kind: 'failed', ...checked });
      document.getElementById(`command-${checked.field}`)?.focus();
      return;
    }
    setSending({ kind: 'busy' });
    try {
      await fleet.sendCommand(device.deviceId, checked.payload, EXPIRIES[expiry]?.ms);
      setSending({ kind: 'idle' });
      setName('');
      setParams('');
    } catch (error) {
      setSending({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const invalid = (field: string): boolean => sending.kind === 'failed' && sending.field === field;

  return (
    <form
      class="command-form"
      aria-label={`Send a command to ${device.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label class="field-name">
        <span>Command</span>
        <input
          id="command-name"
          list="command-names"
          placeholder="ping"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={name}
          aria-invalid={invalid('name')}
          aria-describedby="command-problem"
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <datalist id="command-names">
          {[...new Set(['ping', ...names])].map((known) => (
            <option key={known} value={known} />
          ))}
        </datalist>
      </label>
      <label class="field-params">
        <span>Parameters, JSON</span>
        <textarea
          id="command-params"
          rows={1}
          placeholder="{}"
          autocomplete="off"
          spellcheck={false}
          value={params}
          aria-invalid={invalid('params')}
          aria-describedby="command-problem"
          onInput={(event) => setParams(event.currentTarget.value)}
        />
      </label>
      <label class="field-expiry">
        <span>Expires in</span>
        <select value={expiry} onChange={(event) => setExpiry(Number(event.currentTarget.value))}>
          {EXPIRIES.map(({ label }, index) => (
            <option key={label} value={index}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" disabled={sending.kind === 'busy'}>
        {sending.kind === 'busy' ? 'Sending…' : 'Send'}
      </button>
      <p id="command-problem" class="problem" role="alert" hidden={sending.kind !== 'failed'}>
        {sending.kind === 'failed' && sending.reason}
      </p>
      {!device.online && (
        <p class="hint">The device is dark: an order waits on the server until it is back, or expires.</p>
      )}
    </form>
  );
}
