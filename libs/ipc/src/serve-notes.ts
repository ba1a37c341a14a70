import type { AppNote } from '@bowline/messages/hub';
import type { HubClient } from './client.ts';

/**
 * Tells the gateway what the users of an app should know (`bowline status`), whenever it is there.
 *
 * @returns to be called whenever that has changed.
 */
export function serveNotes(
  client: Pick<HubClient, 'notify' | 'onRegistered'>,
  view: () => AppNote[],
): () => void {
  const tell = () => void client.notify('appState', { state: 'ready', notes: view() });
  client.onRegistered(() => {
    if (view().length > 0) tell();
  });
  return tell;
}
