export { afterThisFile } from './clean-up.ts';
export { FakeClock } from './fake-clock.ts';
export { FaultProxy, type Direction, type ProxiedConnection } from './fault-proxy.ts';
export { freePort } from './free-port.ts';
export { needs, type SystemPackage } from './needs.ts';
export { isRunning, startProcess, type ProcessOptions, type TestProcess } from './process.ts';
export { seededRandom, type SeededRandom } from './seeded-random.ts';
export { temporaryFolder } from './temporary-folder.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
