const tasks: (() => void | Promise<void>)[] = [];

/** Has `task` run after the last test of this file, and after that file's own `afterAll`; the last added goes first. */
export function afterThisFile(task: () => void | Promise<void>): void {
  tasks.push(task);
}

/** Called by setup.ts, which every test file loads. */
export async function cleanUp(): Promise<void> {
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) await task();
}
