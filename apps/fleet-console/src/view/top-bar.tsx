import type { Link } from '../core/fleet-state.ts';
import type { Watched } from '../core/attention.ts';
import { formatDuration } from '../core/format.ts';
import { ROLLOUTS_FRAGMENT } from '../core/route.ts';
import { formatOffset, type Zone } from '../core/time.ts';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';

export type Place = 'devices' | 'rollouts';

export interface TopBarProps {
  place: Place;
  watched: readonly Watched[] | undefined;
  link: Link;
  localZone: Zone;
  session: { operator?: string; role?: string };
  onZone: (zone: Zone) => void;
  onSignOut: () => void;
}

export function TopBar({ place, watched, link, localZone, session, onZone, onSignOut }: TopBarProps) {
  const { now, zone } = usePage();
  return (
    <header class="top-bar">
      <a class="brand" href="#/" aria-label="Bowline, all devices">
        <Knot />
        Bowline
      </a>
      <Tally watched={watched} />
      <nav aria-label="Console">
        {place === 'devices' ? <a href={ROLLOUTS_FRAGMENT}>Rollouts</a> : <a href="#/">Devices</a>}
      </nav>
      <div class="top-bar-end">
        <LinkState link={link} />
        <label>
          <span class="quiet">Times in </span>
          <select value={zone} onChange={(event) => onZone(event.currentTarget.value)}>
            {[...new Set([localZone, 'UTC'])].map((name) => (
              <option key={name} value={name}>
                {name === 'UTC' ? 'UTC' : `${name} (${formatOffset(now, name)})`}
              </option>
            ))}
          </select>
        </label>
        {session.operator !== undefined && (
          <span class="who" title={`You are ${session.operator}, with the role ${session.role}`}>
            {session.operator}
            {session.role !== session.operator && <span class="quiet"> {session.role}</span>}
          </span>
        )}
        <button type="button" class="plain" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

function Tally({ watched }: { watched: readonly Watched[] | undefined }) {
  if (watched === undefined || watched.length === 0) return <p class="tally" />;
  const dark = watched.filter(({ standing }) => standing === 'dark').length;
  const stuck = watched.filter(({ standing }) => standing === 'stuck').length;
  const parts = [
    { n: dark, word: 'dark', mark: 'dark' },
    { n: stuck, word: 'to check', mark: 'stuck' },
    { n: watched.length - dark - stuck, word: 'fine', mark: 'fine' },
  ];
  return (
    <p class="tally" aria-label="Devices">
      {parts.map(({ n, word, mark }) => (
        <span key={mark} class={n === 0 ? 'quiet' : ''}>
          <span class={`mark mark-${n === 0 ? 'none' : mark}`} aria-hidden="true" />
          <b>{n.toLocaleString('en-GB')}</b> {word}
        </span>
      ))}
    </p>
  );
}

function LinkState({ link }: { link: Link }) {
  const { now } = usePage();
  switch (link.kind) {
    case 'live':
      return (
        <span class="link-state" title="News arrive as they happen">
          <span class="mark mark-fine" aria-hidden="true" /> Live
        </span>
      );
    case 'connecting':
      return <span class="link-state quiet">Connecting…</span>;
    case 'broken':
      return (
        <span class="link-state bad">
          <span class="mark mark-dark" aria-hidden="true" /> Not live
          <span class="quiet" aria-hidden="true">
            {' '}
            · next try in {formatDuration(link.retryAt - now + 999)}
          </span>
        </span>
      );
  }
}

/** Across the page while the stream is away: nothing old may look new. */
export function StaleNotice({ link }: { link: Link }) {
  return (
    <div role="status" class="stale-slot">
      {link.kind === 'broken' && (
        <p class="stale-notice">
          <b>Not live.</b> {link.reason}{' '}
          {link.lastHeardAt === undefined ? (
            'Nothing has come from it yet.'
          ) : (
            <>
              What you see was true at <Moment at={link.lastHeardAt} />.
            </>
          )}{' '}
          The page keeps trying.
        </p>
      )}
    </div>
  );
}

function Knot() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="knot-ground" />
      <path d="M11 27V13a5.5 5.5 0 1 1 5.5 5.5H8" class="knot-rope" />
      <path d="M21.5 18.5H24" class="knot-end" />
    </svg>
  );
}
