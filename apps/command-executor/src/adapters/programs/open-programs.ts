import { join } from 'node:path';
import type { Logger } from '@bowline/runtime';
import type { ExecutorConfig } from '../../config.ts';
import { ControlGroups } from './control-group.ts';
import { Programs } from './run-program.ts';
import { RunRecords } from './run-records.ts';

/** Ends what an earlier life of this app left running, and only then lets anything new begin. */
export async function openPrograms(
  config: Pick<
    ExecutorConfig,
    'stateDir' | 'programUser' | 'programLimits' | 'controlGroupFolder' | 'killGraceMs' | 'outputLogChars'
  >,
  log: Logger,
): Promise<{ programs: Programs; records: RunRecords }> {
  const { programUser, programLimits: limits, killGraceMs, outputLogChars } = config;
  const records = new RunRecords(join(config.stateDir, 'runs'));
  await records.sweep(log, killGraceMs);
  const groups = new ControlGroups(config.stateDir, config.controlGroupFolder);
  const emptyGroups = groups.sweep();
  if (emptyGroups > 0) log.info({ emptyGroups }, 'control groups of an earlier life were removed');
  const isRoot = process.getuid?.() === 0;
  const programs = new Programs({
    records,
    groups,
    log,
    limits,
    killGraceMs,
    outputLogChars,
    programUser: isRoot ? programUser : undefined,
  });
  return { programs, records };
}
