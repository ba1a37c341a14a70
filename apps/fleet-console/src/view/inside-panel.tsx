import type { Device } from '@bowline/messages';
import { isWorking, ledgerDifference } from '../core/attention.ts';

const COLUMNS = ['accepted', 'receipted', 'waiting', 'expired', 'dropped', 'rejected'] as const;

/** What goes on inside the device, as of its last heartbeat: its apps, and where its messages went. */
export function InsidePanel({ device: { apps, ledger } }: { device: Device }) {
  return (
    <section class="panel inside" aria-labelledby="inside-title">
      <div class="panel-head">
        <h2 id="inside-title">On the device</h2>
      </div>
      {apps === undefined && ledger === undefined && (
        <p class="empty">Its first heartbeat, within 30 s of connecting, tells its apps and ledger.</p>
      )}
      {apps !== undefined && (
        <ul class="apps" aria-label="Apps">
          {Object.entries(apps).map(([app, state]) => (
            <li key={app} class={isWorking(state) ? '' : 'stale'}>
              <span class={`mark mark-${isWorking(state) ? 'fine' : 'stuck'}`} aria-hidden="true" />
              {app} <span class="app-state">{state}</span>
            </li>
          ))}
        </ul>
      )}
      {ledger !== undefined && <Ledger ledger={ledger} />}
    </section>
  );
}

/** Accepted is the sum of all other columns, or the row says so. */
function Ledger({ ledger }: { ledger: NonNullable<Device['ledger']> }) {
  return (
    <div class="scroll-x" tabIndex={0}>
      <table class="ledger">
        <caption class="unseen">Ledger: what became of the messages that the device accepted</caption>
        <thead>
          <tr>
            <th scope="col">Lane</th>
            {COLUMNS.map((column) => (
              <th key={column} scope="col" class="number">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Object.entries(ledger).map(([lane, entry]) => (
            <tr key={lane} class={ledgerDifference(entry) === 0 ? '' : 'bad'}>
              <th scope="row">{lane}</th>
              {COLUMNS.map((column) => (
                <td key={column} class={`number${entry[column] === 0 ? ' quiet' : ''}`}>
                  {entry[column].toLocaleString('en-GB')}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
