export { bundleSupply, type BundleSupply } from './bundle-supply.ts';
export { createReleaseSource, type ReleaseSourceOptions, type RootAnchor } from './create-release-source.ts';
export { httpSupply, type HttpSupplyOptions } from './http-supply.ts';
export { differences } from './lay-out.ts';
export type {
  FetchProgress,
  InstalledRelease,
  InstalledReleases,
  ReleaseKindName,
  ReleasePlan,
  ReleaseSource,
  UpdateOrder,
} from './release-source.ts';
export type { Place, Supply } from './supply.ts';
