import type { Peer } from '@bowline/ipc';
import { RejectedError } from '@bowline/runtime/errors';

/** For what only a person at the device may do. @throws RejectedError `cli-only` */
export function mustBeCli({ app }: Peer): void {
  if (app !== 'cli') throw new RejectedError('cli-only', `${app} may not do this: use the CLI`);
}
