import { existsSync } from 'node:fs';
import { bundleSupply } from '@bowline/releases/device';
import { hasCode, RejectedError, TransientError } from '@bowline/runtime/errors';
import { turns } from '../core/turns.ts';
import { noSource } from './no-source.ts';
import { openReleaseSource, sourceOf, type SourceOptions } from './open-release-source.ts';
import type { ReleaseSource } from './release-source.ts';

/** Where the releases of this device come from. What is trusted is one, so one at a time looks at metadata. */
export interface ReleaseSources {
  /** The update server; one that refuses everything if none is configured. */
  readonly server: ReleaseSource;
  /** What somebody brought to the device. @param file its path. */
  bundle(file: string): BroughtBundle;
}

export interface BroughtBundle extends ReleaseSource {
  /** The signed order that lies in it. @throws TransientError, RejectedError `bundle-broken`. */
  order(until: AbortSignal): Promise<string | undefined>;
}

/** @throws ConfigError of {@link openReleaseSource}. */
export function openReleaseSources(options: SourceOptions): ReleaseSources {
  const inTurn = turns();
  const alone = (source: ReleaseSource): ReleaseSource => ({
    ...source,
    resolve: (order, until, begun) => inTurn(() => source.resolve(order, until, begun)),
    newest: (wanted, until) => inTurn(() => source.newest(wanted, until)),
  });
  const { mirrors } = options.config.supply;
  return {
    server: alone(mirrors.length === 0 ? noSource : openReleaseSource(options)),
    bundle: (file) => {
      const supply = bundleSupply(file);
      const source = alone(sourceOf(supply, options));
      const settled = <T>(act: Promise<T>) =>
        act.catch((error: unknown) => {
          throw settledBy(file, error);
        });
      return {
        ...source,
        resolve: (order, until, begun) =>
          settled(
            source.resolve(order, until, begun).then(async (plan) => {
              await supply.mustBeWhole(plan.manifest, until);
              return plan;
            }),
          ),
        fetch: (plan, progress, until) => settled(source.fetch(plan, progress, until)),
        order: (until) => settled(supply.order(until)),
      };
    },
  };
}

/** These pass with time, or once the stick is back. */
const PASSING = ['no-space', 'no-trusted-time', 'content-missing'];

/** Another try at a server may do better; a bundle that lies there and is no good stays so. */
function settledBy(file: string, error: unknown): unknown {
  if (!(error instanceof TransientError) || PASSING.includes(error.code)) return error;
  const isAway = !existsSync(file) || hasCode(error.cause, 'ENOENT', 'EIO', 'ENODEV', 'ENXIO');
  return isAway ? error : new RejectedError(error.code, error.message, { cause: error });
}
