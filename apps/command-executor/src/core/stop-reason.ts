import { CancelledError } from '@bowline/runtime/errors';

/** The app ends: nothing more is told of the order, the next life goes on with it. */
export const isStopping = ({ reason }: AbortSignal): boolean =>
  reason instanceof CancelledError && reason.code === 'stopping';

/** An order to cancel: whoever hands over a result all the same has done its work. */
export const isCancelled = ({ reason }: AbortSignal): boolean =>
  reason instanceof CancelledError && reason.code === 'cancelled';
