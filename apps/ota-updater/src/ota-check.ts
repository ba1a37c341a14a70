import type { NewRelease, ReleaseSource, WantedNews } from './supply/release-source.ts';

export interface OtaCheckOptions {
  newest: ReleaseSource['newest'];
  /** What is installed, by name. */
  installed(): Record<string, { version: string; kind: string }>;
  /** Channels from which the policy allows software. */
  channels(): Promise<readonly string[]>;
  /** Keeps what was found, for people on the device. */
  keep(found: NewRelease[]): void;
  /** To the server, once for the same releases; resolves when the gateway has it on disk. */
  report(found: NewRelease[]): Promise<void>;
}

/**
 * Looks whether the update server has something newer than what is installed, and says so. It never begins an update: what,
 * when and where is for a signed order to say, and metadata alone is only half of what a device asks for (protocol, section 5).
 *
 * @throws TransientError: to be tried again.
 */
export async function checkForReleases(options: OtaCheckOptions, signal: AbortSignal): Promise<void> {
  const channels = await options.channels();
  const wanted: WantedNews[] = Object.entries(options.installed()).map(([name, { version, kind }]) => ({
    name,
    kind,
    channels,
    above: version,
  }));
  const found = wanted.length === 0 || channels.length === 0 ? [] : await options.newest(wanted, signal);
  options.keep(found);
  if (found.length > 0) await options.report(found);
}
