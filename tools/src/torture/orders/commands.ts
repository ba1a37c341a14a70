import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** `once` must not run again after it was cut off; `again` may. */
export const COMMANDS = ['once', 'again'] as const;
export type CommandName = (typeof COMMANDS)[number];

const EFFECTS = 'effects';

/** Its effect is one line, in one write; around it there is time to be killed in, and something that outlives its parent. */
const script = (effects: string): string => `#!/bin/sh
( setsid sleep 30 >/dev/null 2>&1 & )
sleep 0.0$(( $$ % 10 ))
echo "$BOWLINE_ORDER_ID" >>${effects}
sleep 0.1
echo '{"done":true}'
`;

/**
 * Puts the campaign's plug-ins into the folder of a fleet.
 *
 * @param lies the manifest of `once` says that it may run again.
 * @returns for a fleet's folder, the executor's configuration.
 */
export const writeCommands =
  (lies: boolean) =>
  (folder: string): object => {
    const commandsFolder = join(folder, 'commands');
    for (const name of COMMANDS) {
      const own = join(commandsFolder, name);
      mkdirSync(own, { recursive: true, mode: 0o755 });
      writeFileSync(join(own, 'run'), script(join(folder, EFFECTS)));
      chmodSync(join(own, 'run'), 0o755);
      const manifest = { name, description: 'one line', idempotent: lies || name === 'again' };
      writeFileSync(join(own, 'command.json'), JSON.stringify(manifest));
    }
    const policyFile = join(folder, 'policy.json');
    writeFileSync(policyFile, JSON.stringify({ commands: { once: {}, again: {} } }), { mode: 0o600 });
    return { commandsFolder, policyFile, programUser: userInfo().username, killGraceMs: 200 };
  };

/** The id of an order for each effect that took place. */
export function effectsIn(folder: string): string[] {
  try {
    return readFileSync(join(folder, EFFECTS), 'utf8').split('\n').filter(Boolean);
  } catch {
    return []; // none took place
  }
}

/** Pids of all programs that run for one of these orders. */
export function programsLeft(orders: ReadonlyMap<string, unknown>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        return orders.has(/(?:^|\0)BOWLINE_ORDER_ID=([^\0]*)/.exec(environment)?.[1] ?? '');
      } catch {
        return false;
      }
    });
}

/** Kills one process of a program, if there is any. */
export function killProgram(orders: ReadonlyMap<string, unknown>, random: () => number): void {
  const pids = programsLeft(orders);
  const pid = pids[Math.floor(random() * pids.length)];
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}
