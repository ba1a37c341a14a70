/**
 * Sends a signal to one process of a test. A pid of 0, which pm2 and others say of what does not run, is an error here: to
 * the kernel it means everything that belongs to the test itself.
 */
export function killByPid(pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined || pid <= 1) throw new Error(`there is no process to send ${signal} to: pid ${pid}`);
  process.kill(pid, signal);
}
