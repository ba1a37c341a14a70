import type { OrderType } from '@bowline/messages';
import type { HubApp } from '@bowline/messages/hub';
import { command } from './types/command.ts';
import { historyRequest } from './types/history-request.ts';
import { softwareUpdate } from './types/software-update.ts';
import { sshAccess } from './types/ssh-access.ts';

/** Which app has the effect of an order. */
export interface OrderRoute {
  type: OrderType;
  app: HubApp;
}

const ROUTES = new Map<string, OrderRoute>(
  [command, historyRequest, softwareUpdate, sshAccess].map((route) => [route.type, route]),
);

/** The app that handles orders of this type; undefined for those that no app of a device takes. */
export const appFor = (type: string): HubApp | undefined => ROUTES.get(type)?.app;
