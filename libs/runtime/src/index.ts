export { backoffMs, type BackoffOptions } from './backoff.ts';
export { systemClock, wait, type Clock, type Timer } from './clock.ts';
export { configFile, loadConfig, type ConfigSources, type LoadedConfig } from './config.ts';
export * from './errors.ts';
export { acquireLock, waitForLock, type Lock } from './lock.ts';
export { createLogger, LOG_LEVELS, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export { runApp, type AppContext, type AppDefinition, type RunningApp } from './run-app.ts';
export { readFileIfPresent, writeFileDurably } from './files.ts';
export { bootId } from './boot-id.ts';
