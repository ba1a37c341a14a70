import type { Watched } from '../core/attention.ts';
import { count, formatBytes, formatDuration, formatNumber } from '../core/format.ts';
import { Ago, Moment } from './moment.tsx';
import { usePage } from './page-context.ts';

/** Who the device is and how it stands, at one look. */
export function DeviceHeader({ watched: { device, concerns, standing } }: { watched: Watched }) {
  const { now } = usePage();
  const { name, deviceId, groups, online, since } = device;
  return (
    <header class={`device-header device-${standing}`}>
      <a class="back" href="#/">
        ‹ All devices
      </a>
      <div class="device-title">
        <h1>{name}</h1>
        <p class={`state state-${standing}`}>
          <span class={`mark mark-${standing}`} aria-hidden="true" />
          {online ? 'Online' : 'Dark'}
          {since !== undefined && (
            <>
              {' '}
              since <Moment at={since} /> · {formatDuration(now - since)}
            </>
          )}
        </p>
        <p class="quiet device-ids">
          {name !== deviceId && <span>{deviceId}</span>}
          {groups.map((group) => (
            <span key={group} class="group">
              {group}
            </span>
          ))}
        </p>
      </div>
      <Facts device={device} />
      {concerns.length > 0 && (
        <ul class="concerns" aria-label="Needs attention">
          {concerns.map(({ id, kind, text, since: from }) => (
            <li key={id} class={`concern concern-${kind}`}>
              <span class={`mark mark-${kind === 'note' ? 'note' : kind}`} aria-hidden="true" />
              <span>
                {text}{' '}
                {from !== undefined && (
                  <span class="quiet">
                    since <Moment at={from} />
                  </span>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </header>
  );
}

function Facts({ device }: { device: Watched['device'] }) {
  const { online, lastSeenAt, roundTripMs, agentVersion, queue, config } = device;
  return (
    <dl class="facts">
      <div>
        <dt>Last heard</dt>
        <dd>
          {lastSeenAt === undefined ? (
            'never'
          ) : (
            <>
              <Ago at={lastSeenAt} /> ago
            </>
          )}
        </dd>
      </div>
      <div>
        <dt>Round trip</dt>
        <dd>{online && roundTripMs !== undefined ? `${formatNumber(roundTripMs)} ms` : '–'}</dd>
      </div>
      <div>
        <dt>{online ? 'Queue' : 'Queue, as last heard'}</dt>
        <dd>
          {queue === undefined
            ? '–'
            : queue.messages === 0
              ? 'empty'
              : `${count(queue.messages, 'message')}, ${formatBytes(queue.bytes)}`}
        </dd>
      </div>
      <div>
        <dt>Agent</dt>
        <dd>{agentVersion ?? '–'}</dd>
      </div>
      {config !== undefined && (
        <div>
          <dt>Configuration</dt>
          <dd>{configText(config)}</dd>
        </div>
      )}
    </dl>
  );
}

function configText({ version = 0, wanted, drift }: NonNullable<Watched['device']['config']>): string {
  const held = version === 0 ? 'as installed' : `document ${version}`;
  if (drift === 'version' && wanted !== undefined) return `${held}, ${wanted.version} wanted`;
  if (drift === 'software') return `${held}, other defaults since an update`;
  return drift === 'local' ? `${held}, changed on the device` : held;
}
