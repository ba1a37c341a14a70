import { extname, join } from 'node:path';
import { CommanderError, type Command } from 'commander';
import { AGENT_VERSION } from '@bowline/runtime';
import { goByProxy } from './adapters/go-by-proxy.ts';
import { findInstallation } from './adapters/find-installation.ts';
import { reportError } from './adapters/terminal.ts';
import { CliError, EXIT } from './core/cli-error.ts';
import { program } from './program.ts';

const calledOff = new AbortController();
process.once('SIGINT', () => {
  calledOff.abort();
  process.exitCode = EXIT.calledOff;
});
// Whoever reads us may leave, as in `bowline status | head -1`.
process.stdout.on('error', () => process.exit());

const asksForJson = process.argv.includes('--json');
let exitCode: number = EXIT.ok;
const root = program(
  {
    context: ({ json = false, home }) => ({
      version: AGENT_VERSION,
      json,
      env: process.env,
      sshProxy: join(import.meta.dirname, `ssh-proxy${extname(import.meta.filename)}`),
      signal: calledOff.signal,
      installation: () => findInstallation({ home, env: process.env, cwd: process.cwd() }),
    }),
    exit: (code) => {
      exitCode = code;
    },
  },
  AGENT_VERSION,
);
withoutExit(root);

try {
  goByProxy(process.env);
  await root.parseAsync();
} catch (error) {
  exitCode = outcomeOf(error);
}
process.exitCode = calledOff.signal.aborted ? EXIT.calledOff : exitCode;

function outcomeOf(error: unknown): number {
  if (calledOff.signal.aborted) return EXIT.calledOff;
  if (!(error instanceof CommanderError)) return reportError(error, asksForJson);
  if (error.exitCode === 0) return EXIT.ok;
  if (!asksForJson) return EXIT.usage;
  const [sentence = ''] = error.message.replace(/^error: /, '').split('\n');
  return reportError(
    new CliError('usage', sentence, { exitCode: EXIT.usage, advice: 'See: bowline --help' }),
    true,
  );
}

/** Commander would end the process itself, with 1, and write its errors as text even where JSON was asked for. */
function withoutExit(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    writeErr: (text) => {
      if (!asksForJson) process.stderr.write(text.replace(/^error: /, ''));
    },
  });
  command.commands.forEach(withoutExit);
}
