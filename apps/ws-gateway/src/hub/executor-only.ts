import type { Peer } from '@bowline/ipc';
import { RejectedError } from '@bowline/runtime/errors';

/** For what the device's policy has allowed the executor to do. @throws RejectedError `executor-only` */
export function mustBeExecutor({ app }: Peer): void {
  if (app !== 'command-executor')
    throw new RejectedError('executor-only', `only the command-executor may ask for this, not ${app}`);
}
