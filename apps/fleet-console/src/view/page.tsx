import { watchAll, type Watched } from '../core/attention.ts';
import { mayAct, ordersOf, type FleetState } from '../core/fleet-state.ts';
import { ROLLOUTS_FRAGMENT } from '../core/route.ts';
import type { Zone } from '../core/time.ts';
import { AccessPanel } from './access-panel.tsx';
import { ChartGrid } from './chart-grid.tsx';
import { DeviceHeader } from './device-header.tsx';
import { DeviceList } from './device-list.tsx';
import { EmptyFleet } from './empty-fleet.tsx';
import { EventsPanel } from './events-panel.tsx';
import { HistoryPanel } from './history-panel.tsx';
import { InsidePanel } from './inside-panel.tsx';
import { OrdersPanel } from './orders-panel.tsx';
import { PageContextProvider, usePage, type PageContext } from './page-context.ts';
import { SignIn } from './sign-in.tsx';
import { RolloutsPage } from './rollouts-page.tsx';
import { StaleNotice, TopBar, type Place } from './top-bar.tsx';

export interface PageProps extends Omit<PageContext, 'may'> {
  state: FleetState;
  place: Place;
  /** The device in full view. */
  shown: string | undefined;
  /** Whether the operator chose it: a phone shows the list until then. */
  chosen: boolean;
  localZone: Zone;
  /** `light` or `dark`. */
  scheme: string;
  onZone: (zone: Zone) => void;
  onToken: (token: string) => void;
}

export function Page(props: PageProps) {
  const { fleet, now, zone, state, place, onToken, onZone, localZone } = props;
  const { session } = state;
  if (session.kind === 'entering') return <p class="entering">Signing in…</p>;
  if (session.kind === 'out') return <SignIn reason={session.reason} onToken={onToken} />;
  const watched = state.devices && watchAll(state.devices.values(), [...state.orders.values()], now);
  return (
    <PageContextProvider.Provider value={{ fleet, now, zone, may: (role) => mayAct(state, role) }}>
      <a class="skip" href={place === 'devices' ? '#device' : ROLLOUTS_FRAGMENT} onClick={skipToMain}>
        Skip to the {place === 'devices' ? 'device' : 'rollouts'}
      </a>
      <TopBar
        place={place}
        watched={watched}
        link={state.link}
        localZone={localZone}
        onZone={onZone}
        session={session}
        onSignOut={() => void fleet.signOut()}
      />
      <StaleNotice link={state.link} />
      {place === 'devices' ? (
        <Fleet {...props} watched={watched} />
      ) : (
        <RolloutsPage signerUrl={state.server?.signerUrl} isStale={state.link.kind === 'broken'} />
      )}
    </PageContextProvider.Provider>
  );
}

/** The fragment of the address is ours: it names what is shown, so it cannot lead to a place on the page. */
function skipToMain(event: Event): void {
  event.preventDefault();
  document.querySelector('main')?.focus();
}

function Fleet({ state, shown, chosen, scheme, watched }: PageProps & { watched: Watched[] | undefined }) {
  if (watched === undefined) {
    return (
      <main class="empty-fleet">
        <p>{state.loadError ?? 'Asking the server for its devices…'}</p>
      </main>
    );
  }
  if (watched.length === 0) return <EmptyFleet />;
  const current = watched.find(({ device }) => device.deviceId === shown);
  const stale = state.link.kind === 'broken' ? ' is-stale' : '';
  return (
    <div class={`fleet${chosen ? ' is-chosen' : ''}${stale}`}>
      <DeviceList watched={watched} shown={shown} />
      <main id="device" tabIndex={-1} aria-label={current?.device.name ?? 'Device'}>
        {current === undefined ? (
          <p class="empty">
            There is no device “{shown}”. <a href="#/">Show all devices</a>
          </p>
        ) : (
          <DeviceView state={state} current={current} scheme={scheme} />
        )}
      </main>
    </div>
  );
}

function DeviceView({ state, current, scheme }: { state: FleetState; current: Watched; scheme: string }) {
  const { device } = current;
  const details = state.details?.deviceId === device.deviceId ? state.details : undefined;
  const orders = ordersOf(state.orders, device.deviceId);
  const sessions = orders.filter(({ type }) => type === 'sshAccess');
  return (
    <>
      <DeviceHeader watched={current} />
      <LoadProblems state={state} />
      <div class="panels">
        <div class="column">
          <ChartGrid
            key={device.deviceId}
            series={details?.series}
            further={details?.furtherSeries ?? 0}
            scheme={scheme}
          />
          <HistoryPanel
            key={`history:${device.deviceId}`}
            device={device}
            series={details?.series ?? []}
            scheme={scheme}
          />
          <InsidePanel device={device} />
        </div>
        <div class="column">
          <OrdersPanel
            key={`orders:${device.deviceId}`}
            device={device}
            orders={orders}
            loaded={details !== undefined}
          />
          <AccessPanel
            key={`access:${device.deviceId}`}
            device={device}
            signerUrl={state.server?.signerUrl}
            news={sessions.map(({ orderId, status }) => `${orderId} ${status}`).join()}
          />
          <EventsPanel
            key={`events:${device.deviceId}`}
            events={details?.events}
            deadLetters={details?.deadLetters ?? []}
          />
        </div>
      </div>
    </>
  );
}

function LoadProblems({ state: { loadError, misunderstood } }: { state: FleetState }) {
  const { fleet } = usePage();
  return (
    <>
      {loadError !== undefined && (
        <p class="problem" role="alert">
          Not everything could be loaded: {loadError}{' '}
          <button type="button" class="plain" onClick={() => void fleet.retry()}>
            Try again
          </button>
        </p>
      )}
      {misunderstood.count > 0 && (
        <p class="problem">
          {misunderstood.count} message(s) of the server could not be read, the last because{' '}
          {misunderstood.last}. The server may be newer than this page: reload it.
        </p>
      )}
    </>
  );
}
