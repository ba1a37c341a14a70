import type { OrderType } from '@bowline/messages';
import type { HubApp } from '@bowline/messages/hub';
import { config } from './types/config.ts';
import { command } from './types/command.ts';
import { historyRequest } from './types/history-request.ts';
import { softwareUpdate } from './types/software-update.ts';
import { sshAccess } from './types/ssh-access.ts';

/** Who has the effect of an order that takes a while: an app, or a part of the gateway that works beside the link. */
export type OrderHandler = HubApp | 'ws-gateway';

export interface OrderRoute {
  type: OrderType;
  app: OrderHandler;
}

const ROUTES = new Map<string, OrderRoute>(
  [command, config, historyRequest, softwareUpdate, sshAccess].map((route) => [route.type, route]),
);

/** Who handles orders of this type; undefined for those that nobody takes, and those that the order desk itself carries out. */
export const appFor = (type: string): OrderHandler | undefined => ROUTES.get(type)?.app;
