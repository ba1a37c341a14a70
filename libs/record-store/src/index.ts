export { CarvedRecords } from './carve.ts';
export { Chunk, copyRange } from './copy-range.ts';
export { Environment, type Entry, type EnvironmentOptions, type Writes } from './environment.ts';
export { MergedRecords, type SourceRecords } from './merged-records.ts';
export { freeListIsSound } from './free-list.ts';
export { metaPagesAreSound, readRoots, type Roots } from './meta-pages.ts';
export { allocate, jsonOf, jsonRecord, openRecord, RECORD_HEADER_BYTES, seal, unseal } from './record.ts';
export { runScrub, type ScrubOutcome } from './run-scrub.ts';
export { StoreFiles } from './store-files.ts';
