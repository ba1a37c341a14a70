import type { Order } from '@bowline/messages';
import { updateEndOf } from '@bowline/messages/update-end';
import { formatStep } from '../core/format.ts';
import { orderSteps } from '../core/orders.ts';
import { Moment } from './moment.tsx';

/** A report that reached the server later than this after the step is worth a word, milliseconds. */
const LATE_REPORT_MS = 2_000;

/** Everything about one order: each step with its times, what was asked, what came back. */
export function OrderDetails({ order }: { order: Order }) {
  return (
    <div class="order-details">
      <div class="scroll-x">
        <table>
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">At</th>
              <th scope="col" class="number">
                Took
              </th>
              <th scope="col">Reported</th>
            </tr>
          </thead>
          <tbody>
            {orderSteps(order).map(({ status, attempt, at, receivedAt, tookMs }, index) => (
              <tr key={index}>
                <th scope="row">
                  {status}
                  {attempt > 0 && <span class="quiet"> attempt {attempt}</span>}
                </th>
                <td>
                  <Moment at={at} />
                </td>
                <td class="number">{tookMs === undefined ? '' : formatStep(tookMs)}</td>
                <td class="quiet">
                  {receivedAt - at > LATE_REPORT_MS ? <Moment at={receivedAt} /> : 'at once'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <dl class="order-facts">
        <dt>Order</dt>
        <dd class="code">{order.orderId}</dd>
        <dt>Sequence</dt>
        <dd>{order.seq}</dd>
        {order.expiresAt !== undefined && (
          <>
            <dt>Expires</dt>
            <dd>
              <Moment at={order.expiresAt} />
            </dd>
          </>
        )}
      </dl>
      <Json title="Payload" value={order.payload} />
      <UpdateFailure order={order} />
      {order.result !== undefined && <Json title="Result" value={order.result} />}
    </div>
  );
}

/** Why an update failed, beyond its reason: what the program that failed wrote last, and how the device stands since. */
function UpdateFailure({ order }: { order: Order }) {
  const { lines, degraded } = updateEndOf(order);
  return (
    <>
      {degraded !== undefined && <p class="problem">The device is degraded: {degraded}</p>}
      {lines.length > 0 && (
        <>
          <h3>Written last by what failed</h3>
          <pre tabIndex={0} aria-label="Written last by what failed">
            <code>{lines.join('\n')}</code>
          </pre>
        </>
      )}
    </>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  return (
    <>
      <h3>{title}</h3>
      <pre tabIndex={0} aria-label={title}>
        <code>{JSON.stringify(value, null, 2)}</code>
      </pre>
    </>
  );
}
