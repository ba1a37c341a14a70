import type { SignedClaims } from '@bowline/messages';
import type { ReleaseManifest } from '../manifest-schema.ts';

/** What an update order says, its signature checked (libs/identity, order-gate.ts). */
export type UpdateOrder = SignedClaims<'softwareUpdate'>;

export type ReleaseKindName = 'app' | 'self' | `module:${string}`;

/** A release that order and metadata agree on, and what it would take to have it here. */
export interface ReleasePlan {
  name: string;
  version: string;
  kind: ReleaseKindName;
  /** SHA-256 of the manifest: the identity of the release. */
  digest: string;
  files: number;
  totalBytes: number;
  fetchBytes: number;
  /** Not fetched, since it is on this device already. */
  reusedBytes: number;
  /** Needed for fetching and laying out, with everything that is kept meanwhile. */
  diskBytes: number;
  inodes: number;
  manifest: ReleaseManifest;
}

export interface FetchProgress {
  bytes: number;
  totalBytes: number;
  bytesPerSecond: number;
}

/** What stands on this device under a name: told by whoever switches releases. */
export interface InstalledRelease {
  version: string;
  /** The highest that any release committed under this name asked for. */
  minSecureVersion?: string;
  /** Laid out trees whose files need not be fetched again, the one in use first. */
  trees: { folder: string; manifest: ReleaseManifest }[];
}

/** A program of which news are wanted: newer than what is installed, of its kind, from a channel that is allowed. */
export interface WantedNews {
  name: string;
  kind: string;
  channels: readonly string[];
  /** The version that is installed. */
  above: string;
}

export interface NewRelease {
  name: string;
  version: string;
  kind: string;
  channel: string;
  digest: string;
}

export type InstalledReleases = (name: string, kind: ReleaseKindName) => InstalledRelease | undefined;

/**
 * Where releases come from: an update server, or a bundle on a stick. Everything here may be stopped or killed at any moment
 * and called again; what was fetched is not fetched twice.
 */
export interface ReleaseSource {
  /**
   * Refreshes the TUF metadata, finds the release that the order names, and holds both against each other, against what is
   * installed (downgrade, `minSecureVersion`) and against the room on the disk. Fetches nothing but metadata and manifest.
   *
   * @param begun its fetching has begun: room was found then, and some of it is taken by what it has brought since.
   * @throws RejectedError: a final answer to the order; TransientError: try again later (docs/errors.md, "Updates").
   */
  resolve(order: UpdateOrder, until: AbortSignal, begun?: boolean): Promise<ReleasePlan>;
  /**
   * Refreshes the TUF metadata and looks whether there is something newer; the newest of each, none where there is not.
   *
   * @throws TransientError, RejectedError `no-release-root`, `no-update-server`.
   */
  newest(wanted: readonly WantedNews[], until: AbortSignal): Promise<NewRelease[]>;
  /**
   * Brings what is missing into the content store, checked as it streams, resumable.
   *
   * @throws TransientError; RejectedError; the reason of `until`.
   */
  fetch(plan: ReleasePlan, progress: (progress: FetchProgress) => void, until: AbortSignal): Promise<void>;
  /**
   * Lays the tree out in an empty folder, each file checked against the signed list by the descriptor that is written, all of
   * it on the disk when this returns.
   *
   * @throws TransientError `content-missing`: fetch again; `no-space`.
   */
  stage(plan: ReleasePlan, folder: string, until: AbortSignal): Promise<void>;
  /** Drops what was fetched, once the release is committed or given up. */
  discard(): Promise<void>;
}
