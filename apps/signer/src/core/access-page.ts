import type { AccessWish } from '@bowline/messages';
import { SSH_CAPABILITIES, type SshCapability } from '@bowline/messages/names';
import type { AccessForm } from './access-form.ts';
import { html, Html } from './html.ts';

const IN_WORDS: Record<SshCapability, string> = {
  pty: 'a terminal',
  exec: 'commands without one (rsync, too)',
  sftp: 'files (sftp, scp)',
  'local-forward': 'connections from the device outward (-L, -D)',
  'remote-forward': 'connections to your machine (-R)',
  'agent-forward': 'your ssh agent (-A)',
};

function page(title: string, content: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Bowline signer</title>
        <link rel="stylesheet" href="/access.css" />
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`.text;
}

function field(label: string, attributes: Record<string, string>, kind = ''): Html {
  const written = Object.entries(attributes).map(([name, value]) => html` ${name}="${value}"`);
  return html`<label class="${kind}"><span>${label}</span><input required${written} /></label>`;
}

const numbers = (max: number) => ({ type: 'number', min: '1', max: String(max) });
const asTyped = { autocapitalize: 'none', spellcheck: 'false' };

/** Where a person says what is to be granted, and that it is he who wants it: he gives his token each time. */
export function formPage(form: AccessForm, problem?: string): string {
  const capabilities = SSH_CAPABILITIES.map(
    (name) =>
      html`<label
        ><input
          type="checkbox"
          name="capability"
          value="${name}"
          ${form.capabilities.includes(name) && new Html(' checked')}
        />
        ${IN_WORDS[name]}</label
      >`,
  );
  return page(
    'Approve access',
    html`<h1>Approve access to a device</h1>
      <p class="quiet">
        Somebody may have led you here. Approve only what you want yourself, and only if the address of this
        page is that of your signer.
      </p>
      ${problem !== undefined && html`<p class="problem" role="alert">${problem}</p>`}
      <form method="post" action="/access">
        ${[
          field('Device', { name: 'device', value: form.device, ...asTyped }),
          field('User on the device', { name: 'user', value: form.user, autocomplete: 'off', ...asTyped }),
          field(
            'Reason, for the audit log',
            { name: 'reason', value: form.reason, maxlength: '512' },
            'wide',
          ),
          field('Ends after, minutes', { name: 'minutes', value: form.minutes, ...numbers(10_080) }),
          field('Ends when idle for, minutes', {
            name: 'idleMinutes',
            value: form.idleMinutes,
            ...numbers(1440),
          }),
          field('Connections at a time', { name: 'streams', value: form.streams, ...numbers(64) }),
        ]}
        <fieldset>
          <legend>What it may do</legend>
          ${capabilities}
          <label
            ><input type="checkbox" name="record" value="yes" ${form.record && new Html(' checked')} /> and
            what its terminals show is recorded</label
          >
        </fieldset>
        ${[
          field('Your name at the signer', {
            name: 'operator',
            value: form.operator,
            autocomplete: 'username',
            ...asTyped,
          }),
          field('Your token of the signer', {
            name: 'token',
            type: 'password',
            autocomplete: 'current-password',
          }),
        ]}
        <div class="whole"><button>Approve</button></div>
      </form>`,
  );
}

/** What was approved, and how to take it. The code is told here and nowhere else. */
export function approvedPage(facts: {
  wish: AccessWish;
  operator: string;
  code: string;
  signerUrl: string;
  validMinutes: number;
}): string {
  const { wish, operator, code, signerUrl, validMinutes } = facts;
  const { deviceId, user, reason, seconds, capabilities, record } = wish;
  const does = capabilities.map((name) => IN_WORDS[name]).join(', ');
  return page(
    'Approved',
    html`<h1>Approved</h1>
      <dl>
        <dt>Device</dt>
        <dd>${deviceId}</dd>
        <dt>User</dt>
        <dd>${user}</dd>
        <dt>For</dt>
        <dd>${operator}</dd>
        <dt>Reason</dt>
        <dd>${reason}</dd>
        <dt>Ends after</dt>
        <dd>${seconds / 60} min</dd>
        <dt>May do</dt>
        <dd>${does}${record && ', recorded'}</dd>
      </dl>
      <p>Run this in your terminal:</p>
      <pre aria-label="Command">${commandFor(wish, signerUrl)}</pre>
      <p>It asks for this code:</p>
      <pre aria-label="Code">${code}</pre>
      <p class="quiet">
        The code is good once, for ${validMinutes} minutes. Whoever has it can open this session in your name:
        give it to nobody. The key of the session is made on your machine and stays there.
      </p>`,
  );
}

/** The simplest of what was approved; scp, rsync and forwards come with the same code. */
function commandFor({ deviceId, capabilities }: AccessWish, signerUrl: string): string {
  const may = (name: SshCapability) => capabilities.includes(name);
  const ssh = `npx bowline ssh --signer ${signerUrl} ${deviceId}`;
  if (may('pty')) return ssh;
  if (may('exec')) return `${ssh} -- COMMAND`;
  if (may('sftp')) return `npx bowline sftp --signer ${signerUrl} ${deviceId}:`;
  return `${ssh} -N -L PORT:HOST:PORT`;
}

/** Where the form was sent from elsewhere. */
export const refusedPage = (signerUrl: string): string =>
  page(
    'Refused',
    html`<h1>Refused</h1>
      <p class="problem" role="alert">
        This was not sent by the page of the signer. Open
        <a href="${signerUrl}/access">${signerUrl}/access</a> yourself.
      </p>`,
  );
