import { useState } from 'preact/hooks';
import type { DeadLetter, StoredEvent } from '@bowline/messages';
import { count } from '../core/format.ts';
import { Moment } from './moment.tsx';

/** Rows at first; the rest on request. */
const ROWS_AT_FIRST = 10;

export interface EventsPanelProps {
  events: readonly StoredEvent[] | undefined;
  deadLetters: readonly DeadLetter[];
}

export function EventsPanel({ events, deadLetters }: EventsPanelProps) {
  const [all, setAll] = useState(false);
  return (
    <section class="panel events" aria-labelledby="events-title">
      <div class="panel-head">
        <h2 id="events-title">Events</h2>
      </div>
      {deadLetters.length > 0 && <DeadLetters letters={deadLetters} />}
      {events === undefined && <p class="empty">Loading…</p>}
      {events?.length === 0 && (
        <p class="empty">No events. Restarts, updates, sessions and gaps will show here.</p>
      )}
      <ul class="event-list">
        {events?.slice(0, all ? undefined : ROWS_AT_FIRST).map((event) => (
          <EventRow key={event.id} event={event} />
        ))}
      </ul>
      {!all && events !== undefined && events.length > ROWS_AT_FIRST && (
        <button type="button" class="plain more" onClick={() => setAll(true)}>
          Show {events.length - ROWS_AT_FIRST} older events
        </button>
      )}
    </section>
  );
}

function EventRow({ event: { kind, severity, at, data } }: { event: StoredEvent }) {
  const summary = Object.entries(data)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ');
  return (
    <li class={`event event-${severity}`}>
      <Moment at={at} />
      <span class={`badge badge-${severity}`}>{severity}</span>
      <span class="event-kind">{kind}</span>
      <span class="event-data" title={summary}>
        {summary}
      </span>
    </li>
  );
}

/** Messages that the server refused for good: data that will never arrive by itself. */
function DeadLetters({ letters }: { letters: readonly DeadLetter[] }) {
  return (
    <details class="dead-letters">
      <summary>
        {count(letters.length, 'message')} of this device {letters.length === 1 ? 'was' : 'were'} refused and
        kept as dead letters
      </summary>
      <ul>
        {letters.map(({ id, type, code, detail, at }, index) => (
          <li key={id ?? index}>
            {at !== undefined && <Moment at={at} />} <b>{type ?? 'unreadable'}</b>{' '}
            <span class="code">{code ?? 'refused'}</span> {detail}
          </li>
        ))}
      </ul>
    </details>
  );
}
