export type {
  FetchProgress,
  InstalledRelease,
  InstalledReleases,
  NewRelease,
  ReleaseKindName,
  ReleasePlan,
  ReleaseSource,
  UpdateOrder,
  WantedNews,
} from '@bowline/releases/device';
