export { readTree, type Tree } from './read-tree.ts';
export { tufKey, type ReleaseSigner } from './release-signer.ts';
export {
  addRelease,
  changeRoot,
  changeTargets,
  initRepository,
  LIFETIME_MS,
  openThresholds,
  publish,
  rolesOf,
  signDrafts,
  withdrawRelease,
  type RoleKeys,
} from './repository.ts';
export { readStanding, type Standing } from './repository-files.ts';
export { ROLES, type Role, type Threshold } from './signed-metadata.ts';
export { writeBundle } from './write-bundle.ts';
