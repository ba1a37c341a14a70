import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Names of test files that take longest, whatever their size: each starts whole fleets, or waits out an update. */
const LONG = [
  /\/self-update\.fault\./,
  /\/machine\.integration\./,
  /\/torture\/.*\.fault\./,
  /\/model\.test\./,
];

/**
 * Vitest begins with the largest files where it does not know how long they take, as in a fresh checkout. Some of ours that
 * take longest are small: begun last, each would run alone.
 */
export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's, but the sequencer's own
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((name) => name.test(moduleId));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
