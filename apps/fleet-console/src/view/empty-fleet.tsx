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
  const { fleet } = usePage();
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
      <p>A device joins with a token that works once. Make one, then run this on the device:</p>
      <pre tabIndex={0}>
        <code>{`npx bowline enrol ${location.origin} --token ${token}`}</code>
      </pre>
      {invitation.kind === 'made' ? (
        <p>
          Good for one device until <Moment at={invitation.expiresAt} />. The device shows here as soon as it
          has enrolled.
        </p>
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
