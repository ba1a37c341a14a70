import type { DeviceStatus } from '@bowline/messages/hub';
import type { Reading } from './sample.ts';

/** What this agent says of itself: its queues, its link, and each of its processes, by the gateway's status. */
export function ownReadings({ queue, link, apps, gateway }: DeviceStatus): Reading[] {
  return [...queueReadings(queue), ...linkReadings(link), ...appReadings(apps), ...gatewayReadings(gateway)];
}

function queueReadings({ lanes, deadLetters }: DeviceStatus['queue']): Reading[] {
  return [
    ...Object.entries(lanes).flatMap(([lane, { messages, bytes }]): Reading[] => [
      { metric: 'bowline.queue.messages', attributes: [lane], value: messages, unit: '{message}' },
      { metric: 'bowline.queue.size', attributes: [lane], value: bytes, unit: 'By' },
    ]),
    { metric: 'bowline.queue.dead_letters', value: deadLetters, unit: '{message}' },
  ];
}

function linkReadings({ state, roundTripMs }: DeviceStatus['link']): Reading[] {
  return [
    { metric: 'bowline.link.state', value: state },
    ...(roundTripMs === undefined
      ? []
      : [{ metric: 'bowline.link.round_trip', value: roundTripMs / 1000, unit: 's' }]),
  ];
}

/** An app that is away, or has not told, has no such series. */
function appReadings(apps: DeviceStatus['apps']): Reading[] {
  return Object.entries(apps).flatMap(([app, { restarts, rssBytes, eventLoopDelayMs }]) => [
    ...(restarts === undefined
      ? []
      : [{ metric: 'bowline.app.restarts', attributes: [app], value: restarts, unit: '{restart}' }]),
    ...vitalReadings(app, rssBytes, eventLoopDelayMs),
  ]);
}

/** Names of OpenTelemetry's conventions for processes and for Node.js. */
function vitalReadings(app: string, rssBytes: number | undefined, delayMs: number | undefined): Reading[] {
  if (rssBytes === undefined || delayMs === undefined) return [];
  return [
    { metric: 'process.memory.usage', attributes: [app], value: rssBytes, unit: 'By' },
    { metric: 'nodejs.eventloop.delay.max', attributes: [app], value: delayMs / 1000, unit: 's' },
  ];
}

function gatewayReadings(gateway: DeviceStatus['gateway']): Reading[] {
  if (gateway === undefined) return [];
  return vitalReadings('ws-gateway', gateway.rssBytes, gateway.eventLoopDelayMs);
}

/** How often the gateway came back as another process, as far as somebody who asks it now and then can see. */
export class GatewayLives {
  #pid: number | undefined;
  #restarts = 0;

  seen(pid: number): Reading[] {
    if (this.#pid !== undefined && this.#pid !== pid) this.#restarts += 1;
    this.#pid = pid;
    return [
      {
        metric: 'bowline.app.restarts',
        attributes: ['ws-gateway'],
        value: this.#restarts,
        unit: '{restart}',
      },
    ];
  }
}
