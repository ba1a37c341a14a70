import { useState } from 'preact/hooks';
import type { Device, SshSession } from '@bowline/messages';
import { count, formatBytes, formatDuration } from '../core/format.ts';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';
import { usePolled } from './use-polled.ts';

const LOOK_EVERY_MS = 5000;

export interface AccessPanelProps {
  device: Device;
  /** Origin of the signer, if there is one. */
  signerUrl: string | undefined;
  /** Changes when an order may have begun or ended a session. */
  news: string;
}

/** Shells on the device: which are open now, an end to each, and the way to the signer for another. */
export function AccessPanel({ device: { deviceId }, signerUrl, news }: AccessPanelProps) {
  const { fleet, may } = usePage();
  const {
    value: sessions,
    problem,
    look,
  } = usePolled(
    async () => (await fleet.sshSessions()).filter((each) => each.deviceId === deviceId),
    LOOK_EVERY_MS,
    [deviceId, news],
  );
  return (
    <section class="panel access" aria-labelledby="access-title">
      <div class="panel-head">
        <h2 id="access-title">Access by ssh</h2>
        {may('operator') && signerUrl !== undefined && (
          <a
            class="button"
            href={`${signerUrl}/access?${new URLSearchParams({ device: deviceId })}`}
            target="_blank"
            rel="noopener noreferrer"
          >
            Request access
          </a>
        )}
      </div>
      {problem !== undefined && <p class="problem">The sessions could not be loaded: {problem}</p>}
      {sessions === undefined && problem === undefined && <p class="empty">Loading…</p>}
      {sessions?.length === 0 && <p class="empty">No session is open.</p>}
      <ul class="session-list" aria-label="Open sessions">
        {sessions?.map((session) => (
          <SessionRow key={session.sessionId} session={session} onEnded={() => void look()} />
        ))}
      </ul>
      {may('operator') && <Hint deviceId={deviceId} signerUrl={signerUrl} />}
    </section>
  );
}

function Hint({ deviceId, signerUrl }: { deviceId: string; signerUrl: string | undefined }) {
  return signerUrl === undefined ? (
    <p class="hint">
      In a terminal, with your access key: <code>npx bowline ssh {deviceId} --reason "…"</code>
    </p>
  ) : (
    <p class="hint">
      Approved at the signer, in a window of its own, which gives a code for{' '}
      <code>
        npx bowline ssh --signer {signerUrl} {deviceId}
      </code>
      . This page cannot sign.
    </p>
  );
}

function SessionRow({ session, onEnded }: { session: SshSession; onEnded: () => void }) {
  const { fleet, now, may } = usePage();
  const [state, setState] = useState<{ busy: boolean; problem?: string }>({ busy: false });
  const { sessionId, user, operator, reason, createdAt, expiresAt, ready, openStreams, streams } = session;
  const end = async (): Promise<void> => {
    setState({ busy: true });
    try {
      await fleet.endSshSession(sessionId);
      onEnded();
    } catch (error) {
      setState({ busy: false, problem: error instanceof Error ? error.message : String(error) });
    }
  };
  const bytes = session.bytesUp + session.bytesDown;
  return (
    <li class="session">
      <span class={`badge badge-${openStreams > 0 ? 'good' : 'quiet'}`}>
        {openStreams > 0 ? 'in use' : ready ? 'open' : 'not joined'}
      </span>
      <div class="session-text">
        <p>
          {operator}
          {user !== undefined && (
            <>
              {' '}
              as <b>{user}</b>
            </>
          )}
          {reason !== undefined && reason !== '' && `: ${reason}`}
        </p>
        <p class="quiet">
          since <Moment at={createdAt} />, ends in {formatDuration(expiresAt - now)} · {openStreams} of{' '}
          {count(streams, 'connection')}
          {bytes > 0 && ` · ${formatBytes(bytes)} so far`}
        </p>
        {state.problem !== undefined && (
          <p class="problem" role="alert">
            {state.problem}
          </p>
        )}
      </div>
      {may('operator') && (
        <button
          type="button"
          class="plain"
          disabled={state.busy}
          onClick={() => void end()}
          aria-label={`End the session of ${operator}${user === undefined ? '' : ` as ${user}`}`}
        >
          {state.busy ? 'Ending…' : 'End session'}
        </button>
      )}
    </li>
  );
}
