export type {
  FetchProgress,
  InstalledRelease,
  InstalledReleases,
  ReleaseKindName,
  ReleasePlan,
  ReleaseSource,
  UpdateOrder,
} from '@bowline/releases/device';
