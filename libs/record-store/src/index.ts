export { CarvedRecords } from './carve.ts';
export { Chunk, copyRange } from './copy-range.ts';
export { Environment, type Entry, type EnvironmentOptions, type Writes } from './environment.ts';
export { inspectFile, type FileInspection } from './inspect-file.ts';
export { MergedRecords, type SourceRecords } from './merged-records.ts';
export { readRoots } from './meta-pages.ts';
export {
  allocate,
  jsonOf,
  jsonRecord,
  openRecord,
  payloadAt,
  RECORD_HEADER_BYTES,
  seal,
  unseal,
} from './record.ts';
export { runScrub, type ScrubOutcome } from './run-scrub.ts';
export { StoreFiles } from './store-files.ts';
