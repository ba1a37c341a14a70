import type { Mirror } from '../transport/http-mirror.ts';
import type { ContentStore } from './content-store.ts';
import type { Content } from './download.ts';

/** One place where metadata and manifests lie: a mirror, or a bundle. */
export type Place = Pick<Mirror, 'url' | 'get'>;

/** Where releases come from. */
export interface Supply {
  /** In the order in which they are asked; the next one if one has no good metadata. */
  places(until: AbortSignal): Promise<readonly Place[]>;
  /**
   * Brings contents into the store.
   *
   * @param came bytes that were stored; negative if they turned out to be no good.
   * @throws TransientError; the reason of `until`.
   */
  contents(
    wanted: readonly Content[],
    store: ContentStore,
    came: (bytes: number) => void,
    until: AbortSignal,
  ): Promise<void>;
  close(): void;
}
