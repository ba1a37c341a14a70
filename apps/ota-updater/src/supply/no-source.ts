import { RejectedError } from '@bowline/runtime/errors';
import type { ReleaseSource } from './release-source.ts';

const refuse = () =>
  Promise.reject(
    new RejectedError(
      'no-update-server',
      'the order is good, but this device has no update server configured',
    ),
  );

/** Of a device that was not told where releases come from. */
export const noSource: ReleaseSource = {
  resolve: refuse,
  newest: refuse,
  fetch: refuse,
  stage: refuse,
  discard: async () => {},
};
