import * as appRequests from '@bowline/messages/hub/app-requests';
import * as hubRequests from '@bowline/messages/hub/requests';
import * as notifications from '@bowline/messages/hub/notifications';
import { describeErrors } from '@bowline/messages/check';
import { InternalError } from '@bowline/runtime/errors';
import type { AppNotifications, AppRequests, HubNotifications, HubRequests } from '@bowline/messages/hub';

export type Validator = (typeof hubRequests)['register_request'];

export interface RequestEntry {
  request: Validator;
  /** The request brings lines with it, each of which must pass. */
  line?: Validator;
  response: Validator;
  /** An error answer promises that nothing was stored: where that is unknown, there is no answer. */
  durable?: true;
}

/** What one side may ask and say, by name. */
export interface Vocabulary {
  requests: Readonly<Record<string, RequestEntry>>;
  notifications: Readonly<Record<string, Validator>>;
}

/** What apps say to the hub. The types make a forgotten name an error. */
export const TO_HUB: Vocabulary = {
  requests: {
    register: { request: hubRequests.register_request, response: hubRequests.register_response },
    enqueue: {
      request: hubRequests.enqueue_request,
      line: hubRequests.enqueue_line,
      response: hubRequests.enqueue_response,
      durable: true,
    },
    reportOrder: {
      request: hubRequests.reportOrder_request,
      response: hubRequests.reportOrder_response,
      durable: true,
    },
    trustBundles: { request: hubRequests.trustBundles_request, response: hubRequests.trustBundles_response },
    linkProxy: { request: hubRequests.linkProxy_request, response: hubRequests.linkProxy_response },
    status: { request: hubRequests.status_request, response: hubRequests.status_response },
    linkLog: { request: hubRequests.linkLog_request, response: hubRequests.linkLog_response },
    identity: { request: hubRequests.identity_request, response: hubRequests.identity_response },
    enrol: { request: hubRequests.enrol_request, response: hubRequests.enrol_response },
    idempotent: { request: hubRequests.idempotent_request, response: hubRequests.idempotent_response },
    setLogLevel: { request: hubRequests.setLogLevel_request, response: hubRequests.setLogLevel_response },
    losses: { request: hubRequests.losses_request, response: hubRequests.losses_response },
    forget: { request: hubRequests.forget_request, response: hubRequests.forget_response },
    proveHostKey: { request: hubRequests.proveHostKey_request, response: hubRequests.proveHostKey_response },
    deadLetters: { request: hubRequests.deadLetters_request, response: hubRequests.deadLetters_response },
    deadLetter: { request: hubRequests.deadLetter_request, response: hubRequests.deadLetter_response },
    resendDeadLetters: {
      request: hubRequests.resendDeadLetters_request,
      response: hubRequests.resendDeadLetters_response,
      durable: true,
    },
    localHistory: { request: hubRequests.localHistory_request, response: hubRequests.localHistory_response },
    runJob: { request: hubRequests.runJob_request, response: hubRequests.runJob_response },
    holdConfig: { request: hubRequests.holdConfig_request, response: hubRequests.holdConfig_response },
    purgeDeadLetters: {
      request: hubRequests.purgeDeadLetters_request,
      response: hubRequests.purgeDeadLetters_response,
      durable: true,
    },
    config: { request: hubRequests.config_request, response: hubRequests.config_response },
    configDocument: {
      request: hubRequests.configDocument_request,
      response: hubRequests.configDocument_response,
    },
    rollbackConfig: {
      request: hubRequests.rollbackConfig_request,
      response: hubRequests.rollbackConfig_response,
    },
    checkOverride: {
      request: hubRequests.checkOverride_request,
      response: hubRequests.checkOverride_response,
    },
    takeOverride: { request: hubRequests.takeOverride_request, response: hubRequests.takeOverride_response },
  } satisfies Record<keyof HubRequests, RequestEntry>,
  notifications: {
    progress: notifications.progress,
    appState: notifications.appState,
    configState: notifications.configState,
    vitals: notifications.vitals,
    trial: notifications.trial,
  } satisfies Record<keyof HubNotifications, Validator>,
};

/** What the hub says to apps. */
export const TO_APP: Vocabulary = {
  requests: {
    order: { request: appRequests.order_request, response: appRequests.order_response },
    setLogLevel: { request: appRequests.setLogLevel_request, response: appRequests.setLogLevel_response },
    cancelOrder: { request: appRequests.cancelOrder_request, response: appRequests.cancelOrder_response },
    validateConfig: {
      request: appRequests.validateConfig_request,
      response: appRequests.validateConfig_response,
    },
    applyConfig: { request: appRequests.applyConfig_request, response: appRequests.applyConfig_response },
    showConfig: { request: appRequests.showConfig_request, response: appRequests.showConfig_response },
    checkOverride: {
      request: appRequests.checkOverride_request,
      response: appRequests.checkOverride_response,
    },
    takeOverride: { request: appRequests.takeOverride_request, response: appRequests.takeOverride_response },
    localHistory: { request: appRequests.localHistory_request, response: appRequests.localHistory_response },
    runJob: { request: appRequests.runJob_request, response: appRequests.runJob_response },
  } satisfies Record<keyof AppRequests, RequestEntry>,
  notifications: {
    link: notifications.link,
    trust: notifications.trust,
    linkProxy: notifications.linkProxy,
  } satisfies Record<keyof AppNotifications, Validator>,
};

/** By own property only: a name from outside must not reach `constructor` and its like. */
export const entryOf = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** What we are about to say must be good, too. @throws InternalError `own-message-invalid`: the bug is ours. */
export function checkOwn(validate: Validator | undefined, name: string, body: unknown): void {
  if (validate === undefined)
    throw new InternalError('own-message-invalid', `${name} is not in the contract`);
  if (validate(body)) return;
  throw new InternalError('own-message-invalid', `our own ${describeErrors(validate.errors, name)}`);
}
