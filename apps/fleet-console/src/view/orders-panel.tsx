import { useState } from 'preact/hooks';
import type { Device, Order } from '@bowline/messages';
import { formatNumber, formatStep } from '../core/format.ts';
import { isTerminal } from '@bowline/messages/names';
import {
  isWithdrawn,
  moodOf,
  orderName,
  orderParams,
  orderSteps,
  progressInWords,
  standingOf,
} from '../core/orders.ts';
import { CommandForm } from './command-form.tsx';
import { Moment } from './moment.tsx';
import { OrderDetails } from './order-details.tsx';
import { usePage } from './page-context.ts';

/** Rows at first; the rest on request. */
const ROWS_AT_FIRST = 8;

export interface OrdersPanelProps {
  device: Device;
  orders: readonly Order[];
  loaded: boolean;
}

export function OrdersPanel({ device, orders, loaded }: OrdersPanelProps) {
  const { may } = usePage();
  const [open, setOpen] = useState<string | undefined>();
  const [all, setAll] = useState(false);
  const names = orders.filter(({ type }) => type === 'command').map(orderName);
  return (
    <section class="panel orders" aria-labelledby="orders-title">
      <div class="panel-head">
        <h2 id="orders-title">Orders</h2>
      </div>
      {may('operator') ? (
        <CommandForm device={device} names={names} />
      ) : (
        <p class="hint">Your role may look, but not send orders.</p>
      )}
      {!loaded && orders.length === 0 && <p class="empty">Loading…</p>}
      {loaded && orders.length === 0 && (
        <p class="empty">
          No orders yet.
          {may('operator') && (
            <>
              {' '}
              Send <b>ping</b> above, or in a terminal{' '}
              <code>npx bowline fleet command {device.deviceId} ping</code>
            </>
          )}
        </p>
      )}
      <ul class="order-list">
        {orders.slice(0, all ? undefined : ROWS_AT_FIRST).map((order) => (
          <OrderRow
            key={order.orderId}
            order={order}
            orders={orders}
            open={open === order.orderId}
            onToggle={() => setOpen(open === order.orderId ? undefined : order.orderId)}
          />
        ))}
      </ul>
      {!all && orders.length > ROWS_AT_FIRST && (
        <button type="button" class="plain more" onClick={() => setAll(true)}>
          Show {orders.length - ROWS_AT_FIRST} older orders
        </button>
      )}
    </section>
  );
}

interface OrderRowProps {
  order: Order;
  orders: readonly Order[];
  open: boolean;
  onToggle: () => void;
}

function OrderRow({ order, orders, open, onToggle }: OrderRowProps) {
  const { may } = usePage();
  const params = orderParams(order, orders);
  const bodyId = `order-${order.orderId}`;
  const mood = moodOf(order);
  const mayCancel = may('operator') && !isTerminal(order.status) && !isWithdrawn(order);
  return (
    <li class={`order order-${mood}`}>
      <div class="order-line">
        <button
          type="button"
          class="order-head"
          aria-expanded={open}
          aria-controls={bodyId}
          onClick={onToggle}
        >
          <span class={`badge badge-${mood}`}>{standingOf(order)}</span>
          <span class="order-name">{orderName(order)}</span>
          <span class="order-params">{params}</span>
        </button>
        {mayCancel && order.type !== 'cancel' && <CancelButton order={order} />}
      </div>
      <Steps order={order} />
      {order.error !== undefined && (
        <p class="order-error">
          {order.error.message} <span class="code">{order.error.code}</span>
        </p>
      )}
      {!isTerminal(order.status) && order.progress !== undefined && <Progress progress={order.progress} />}
      <div id={bodyId} hidden={!open}>
        {open && <OrderDetails order={order} />}
      </div>
    </li>
  );
}

/** `02:41:07 queued · sent +12 ms · received +31 ms · …`. */
function Steps({ order }: { order: Order }) {
  return (
    <ol class="steps" aria-label="Steps">
      {orderSteps(order).map(({ status, attempt, at, tookMs }, index) => (
        <li key={index}>
          {status}
          {attempt > 1 && ` (attempt ${attempt})`}{' '}
          {tookMs === undefined ? <Moment at={at} /> : formatStep(tookMs)}
        </li>
      ))}
    </ol>
  );
}

function Progress({ progress }: { progress: NonNullable<Order['progress']> }) {
  const { percent, note } = progress;
  const figures = progressInWords(progress);
  return (
    <p class="progress">
      <progress max={100} {...(percent !== undefined && { value: percent })} aria-label="Progress" />
      {percent !== undefined && <b>{formatNumber(Math.round(percent))} %</b>}
      {figures !== '' && <span>{figures}</span>}
      {note !== undefined && <span>{note}</span>}
    </p>
  );
}

function CancelButton({ order }: { order: Order }) {
  const { fleet } = usePage();
  const [state, setState] = useState<{ busy: boolean; problem?: string }>({ busy: false });
  const cancel = async (): Promise<void> => {
    setState({ busy: true });
    try {
      await fleet.cancelOrder(order.orderId);
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, problem: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <span class="cancel">
      {state.problem !== undefined && (
        <span class="problem" role="alert">
          {state.problem}
        </span>
      )}
      <button
        type="button"
        class="plain"
        disabled={state.busy}
        onClick={() => void cancel()}
        aria-label={order.type === 'sshAccess' ? 'End the session' : `Cancel order ${orderName(order)}`}
      >
        {order.type === 'sshAccess'
          ? state.busy
            ? 'Ending…'
            : 'End session'
          : state.busy
            ? 'Cancelling…'
            : 'Cancel'}
      </button>
    </span>
  );
}
