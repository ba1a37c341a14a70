export { backoffMs, type BackoffOptions } from './backoff.ts';
export { systemClock, wait, type Clock, type Timer } from './clock.ts';
export { loadConfig, type ConfigValidator, type LoadedConfig } from './config.ts';
export { configFile, overrideFile, type ConfigSources } from './config-layers.ts';
export { changedKeys, findKey, type ConfigFault, type ConfigSchema } from './config-schema.ts';
export { hashOf } from './hash.ts';
export { LiveConfig, type ConfigChange, type ConfigEntry } from './live-config.ts';
export * from './errors.ts';
export { acquireLock, waitForLock, type Lock } from './lock.ts';
export { ServerClock } from './server-clock.ts';
export { createLogger, LOG_LEVELS, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export { runApp, type AppContext, type AppDefinition, type RunningApp } from './run-app.ts';
export {
  readFileIfPresent,
  readJsonIfPresent,
  syncFolder,
  writeFileDurably,
  writeFileSynchronously,
} from './files.ts';
export { isDiskFull } from './disk-full.ts';
export { listenLocally } from './listen-locally.ts';
export { systemNumber, systemUsers, type SystemUser } from './system-number.ts';
export { ownCgroup } from './own-cgroup.ts';
export {
  cgroupKill,
  cgroupProcs,
  killCgroup,
  makeCgroup,
  pidsInCgroup,
  removeCgroup,
  removeEmptyCgroups,
} from './cgroups.ts';
export { allPids, processStat, processVariable, type ProcessStat } from './process-stat.ts';
export { bootId } from './boot-id.ts';
export { deadlineIn, overAt, type Deadline } from './deadline.ts';
export { AGENT_VERSION, RELEASED_AT } from './version.ts';
export { onceDurably } from './once.ts';
export { mayPass, retry, type RetryOptions } from './retry.ts';
export { redact } from './redact.ts';
export { childEnvironment, unrestricted } from './child-environment.ts';
export { watchVitals, type ProcessVitals } from './process-vitals.ts';
