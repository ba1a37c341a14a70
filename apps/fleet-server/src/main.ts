import { runApp } from '@bowline/runtime';
import type { ServerConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';
import { restoreCommand } from './restore-command.ts';
import { startServer } from './server.ts';

const [command, ...rest] = process.argv.slice(2);
if (command === 'restore') process.exitCode = await restoreCommand(rest);
else
  await runApp<ServerConfig>({ app: 'fleet-server', version: '0.1.0', validateConfig, start: startServer });
