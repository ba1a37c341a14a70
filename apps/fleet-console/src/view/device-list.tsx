import { useState } from 'preact/hooks';
import type { Watched } from '../core/attention.ts';
import { count, formatDuration } from '../core/format.ts';
import { deviceFragment } from '../core/route.ts';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';

/** More rows than this are asked to be filtered. */
const ROWS_SHOWN = 200;
/** Concerns of one device that fit into its row; the device's own page has them all. */
const CONCERNS_SHOWN = 3;
/** With so many devices a filter is worth its room. */
const FILTER_FROM = 8;

export function DeviceList({ watched, shown }: { watched: readonly Watched[]; shown: string | undefined }) {
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const matching = watched.filter(({ device }) =>
    [device.name, device.deviceId, ...device.groups].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <nav class="device-list" aria-label="Devices">
      {watched.length >= FILTER_FROM && (
        <input
          type="search"
          placeholder="Filter by name, id, group"
          aria-label="Filter devices by name, id or group"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <ul>
        {matching.slice(0, ROWS_SHOWN).map((entry) => (
          <DeviceRow key={entry.device.deviceId} entry={entry} current={entry.device.deviceId === shown} />
        ))}
      </ul>
      {matching.length === 0 && <p class="empty">No device matches “{filter}”.</p>}
      {matching.length > ROWS_SHOWN && (
        <p class="empty">{count(matching.length - ROWS_SHOWN, 'more device')}: filter to see them.</p>
      )}
    </nav>
  );
}

function DeviceRow({ entry: { device, concerns, standing }, current }: { entry: Watched; current: boolean }) {
  const { now } = usePage();
  const stuck = concerns.filter(({ kind }) => kind === 'stuck');
  const { name, deviceId, since, online, queue, groups } = device;
  return (
    <li>
      <a
        href={deviceFragment(deviceId)}
        class={`device-row device-${standing}`}
        aria-current={current ? 'page' : undefined}
      >
        <span class="device-row-head">
          <span class={`mark mark-${standing}`} aria-hidden="true" />
          <span class="device-name">{name}</span>
          <span class="device-for">
            {online ? 'online' : 'dark'}
            {since !== undefined && ` ${formatDuration(now - since)}`}
          </span>
        </span>
        <span class="device-row-more">
          {name !== deviceId && <span>{deviceId}</span>}
          {groups.length > 0 && <span>{groups.join(', ')}</span>}
          {!online && since !== undefined && (
            <span>
              since <Moment at={since} />
            </span>
          )}
          {queue !== undefined && queue.messages > 0 && (
            <span>{queue.messages.toLocaleString('en-GB')} queued</span>
          )}
        </span>
        {stuck.slice(0, CONCERNS_SHOWN).map(({ id, text }) => (
          <span key={id} class="device-row-concern">
            {text}
          </span>
        ))}
        {stuck.length > CONCERNS_SHOWN && (
          <span class="device-row-concern">and {stuck.length - CONCERNS_SHOWN} more</span>
        )}
      </a>
    </li>
  );
}
