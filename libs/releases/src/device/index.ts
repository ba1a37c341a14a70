export { bundleSupply, type BundleSupply } from './bundle-supply.ts';
export { type RootAnchor } from './catalogue.ts';
export { createReleaseSource, type ReleaseSourceOptions } from './create-release-source.ts';
export { httpSupply, type HttpSupplyOptions } from './http-supply.ts';
export { trustedTime } from './judge-release.ts';
export { differences, isLaidOut } from './lay-out.ts';
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
} from './release-source.ts';
export type { Place, Supply } from './supply.ts';
