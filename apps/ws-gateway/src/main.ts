import { AGENT_VERSION, runApp } from '@bowline/runtime';
import { boot } from './boot.ts';
import type { GatewayConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';

await runApp<GatewayConfig>({ app: 'ws-gateway', version: AGENT_VERSION, validateConfig, start: boot });
