import { runApp } from '@bowline/runtime';
import type { ServerConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';
import { startServer } from './server.ts';

await runApp<ServerConfig>({ app: 'fleet-server', version: '0.1.0', validateConfig, start: startServer });
