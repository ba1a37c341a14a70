import { useState } from 'preact/hooks';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';

type Invitation =
  | { kind: 'none' }
  | { kind: 'busy' }
  | { kind: 'made'; token: string; expiresAt: number }
  | { kind: 'failed'; reason: string };

/** Nobody is there yet: how to bring in the first device. */
export function EmptyFleet() {
  const { fleet, may } = usePage();
  const [invitation, setInvitation] = useState<Invitation>({ kind: 'none' });
  const invite = async (): Promise<void> => {
    setInvitation({ kind: 'busy' });
    try {
      setInvitation({ kind: 'made', ...(await fleet.createEnrolmentToken()) });
    } catch (error) {
      setInvitation({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const token = invitation.kind === 'made' ? invitation.token : 'TOKEN';
  return (
    <main class="empty-fleet">
      <h1>No devices yet</h1>
      <p>
        A device joins with a token that works once. Make one, then run this on the device, in its checkout:
      </p>
      <pre tabIndex={0} aria-label="Commands that enrol a device">
        <code>{enrolCommand(location.origin, token)}</code>
      </pre>
      {invitation.kind === 'made' ? (
        <p>
          Good for one device until <Moment at={invitation.expiresAt} />. The device shows here as soon as it
          has enrolled.
        </p>
      ) : !may('admin') ? (
        <p class="hint">Your role may not make tokens: ask an admin for one.</p>
      ) : (
        <button type="button" onClick={() => void invite()} disabled={invitation.kind === 'busy'}>
          Make a token
        </button>
      )}
      {invitation.kind === 'failed' && (
        <p class="problem" role="alert">
          {invitation.reason}
        </p>
      )}
    </main>
  );
}

/** Starts a gateway that enrols by the token; it keeps the device's key and queue in `.bowline/device-1`. */
function enrolCommand(origin: string, token: string): string {
  return [
    'mkdir -p -m 700 .bowline/device-1/hub',
    `(umask 077; echo '${token}' > .bowline/device-1/token)`,
    'node_modules/.bin/node apps/ws-gateway/dist/main.js \\',
    '  --stateDir="$PWD/.bowline/device-1" \\',
    '  --hubFolder="$PWD/.bowline/device-1/hub" \\',
    `  --enrolment.server=${origin} \\`,
    `  --enrolment.tokenFile="$PWD/.bowline/device-1/token"${origin.startsWith('http:') ? ' \\' : ''}`,
    ...(origin.startsWith('http:') ? ['  --link.allowInsecure=true'] : []),
  ].join('\n');
}
