import { render } from 'preact';
import { localZone, preferredZone, preferZone, takeToken } from './adapters/browser-session.ts';
import { LiveFleet } from './adapters/live-fleet.ts';
import { watchAll } from './core/attention.ts';
import { readFragment } from './core/route.ts';
import { Page } from './view/page.tsx';

/** Many news make one drawing, milliseconds. */
const DRAW_AFTER_MS = 50;

const root = document.getElementById('page');
if (root === null) throw new Error('the page has no place to draw in');
const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const fleet = new LiveFleet({ onChange: drawSoon });

/** The device that the page itself chose to show: the worst off when it was opened. */
let suggested: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

function drawSoon(): void {
  timer ??= setTimeout(draw, DRAW_AFTER_MS);
}

function draw(): void {
  clearTimeout(timer);
  timer = undefined;
  const { state } = fleet;
  const now = fleet.now();
  const fragment = readFragment(location.hash);
  const chosen = fragment.kind === 'device' ? fragment.deviceId : undefined;
  if (state.devices !== undefined && (suggested === undefined || !state.devices.has(suggested))) {
    suggested = watchAll(state.devices.values(), [], now)[0]?.device.deviceId;
  }
  const shown = chosen ?? suggested;
  const place = fragment.kind === 'rollouts' ? 'rollouts' : 'devices';
  fleet.show(state.session.kind === 'in' && place === 'devices' ? shown : undefined);
  const dark = [...(state.devices?.values() ?? [])].filter(({ online }) => !online).length;
  document.title = dark === 0 ? 'Bowline' : `${dark} dark · Bowline`;
  render(
    <Page
      fleet={fleet}
      state={fleet.state}
      now={now}
      zone={preferredZone()}
      localZone={localZone()}
      place={place}
      shown={shown}
      chosen={chosen !== undefined}
      scheme={darkScheme.matches ? 'dark' : 'light'}
      onZone={(zone) => {
        preferZone(zone);
        draw();
      }}
      onToken={(token) => void fleet.signIn(token)}
    />,
    root as HTMLElement,
  );
}

function enter(): void {
  const token = takeToken();
  if (token !== undefined) void fleet.signIn(token);
  else if (fleet.state.session.kind === 'out') fleet.resume();
  draw();
}

addEventListener('hashchange', enter);
darkScheme.addEventListener('change', draw);
setInterval(draw, 1000);
enter();
