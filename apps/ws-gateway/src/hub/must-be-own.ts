import { MESSAGE_TYPES_OF, type HubApp } from '@bowline/messages/hub/apps';
import type { EnqueuedMessage } from '@bowline/messages/hub';
import { RejectedError } from '@bowline/runtime/errors';
import type { Counters } from '../counters.ts';

/**
 * The socket is the identity, for what is handed over, too: each app speaks of its own.
 *
 * @throws RejectedError `message-type-not-allowed`, counted; nothing of the call is stored.
 */
export function mustBeOwn(
  app: HubApp,
  messages: readonly Pick<EnqueuedMessage, 'type'>[],
  counters: Pick<Counters, 'add'>,
): void {
  const allowed: readonly string[] = MESSAGE_TYPES_OF[app];
  const foreign = messages.find(({ type }) => !allowed.includes(type));
  if (foreign === undefined) return;
  counters.add('hub.message-type-not-allowed');
  const may = allowed.length === 0 ? 'none' : `only ${allowed.join(', ')}`;
  throw new RejectedError(
    'message-type-not-allowed',
    `${app} may not hand over messages of type ${foreign.type}, ${may}`,
  );
}
