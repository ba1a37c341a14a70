import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Clock, Timer } from '@bowline/runtime';

/** Something around the link changed in a way that may have killed it without a word. */
export type Disturbance = 'network-changed' | 'clock-jumped' | 'event-loop-stuck';

export interface Reading {
  /** Addresses and default routes as one text: any difference is a change. */
  network: string;
  wallMs: number;
  monotonicMs: number;
}

/** How long between two looks. */
const EVERY_MS = 2000;
/** A tick that comes this much too late: the event loop stood still. */
const STUCK_MS = 5000;
/** Wall clock and monotonic clock drifted apart by this much between two looks: a step, or a resume from suspend. */
const JUMP_MS = 5000;

/** What happened between two looks, purely. A suspended machine shows as a jump: its monotonic clock stood still. */
export function compare(before: Reading, now: Reading, everyMs = EVERY_MS): Disturbance | undefined {
  const passedMs = now.monotonicMs - before.monotonicMs;
  if (Math.abs(now.wallMs - before.wallMs - passedMs) > JUMP_MS) return 'clock-jumped';
  if (passedMs > everyMs + STUCK_MS) return 'event-loop-stuck';
  return now.network === before.network ? undefined : 'network-changed';
}

/** Addresses of all interfaces but loopback, and the default routes of both families. */
export function readNetwork(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`),
  );
  return [...addresses.toSorted(), ...defaultRoutes()].join('\n');
}

/** Lines of /proc/net whose destination is everything; interface and gateway are what matters of them. */
function defaultRoutes(): string[] {
  const v4 = lines('/proc/net/route').flatMap((line) => {
    const [name, destination, gateway] = line.split(/\s+/);
    return destination === '00000000' ? [`${name} ${gateway}`] : [];
  });
  const v6 = lines('/proc/net/ipv6_route').flatMap((line) => {
    const [destination, length, , , gateway, , , , , name] = line.split(/\s+/);
    return length === '00' && /^0+$/.test(destination ?? '') && name !== 'lo' ? [`${name} ${gateway}`] : [];
  });
  return [...v4, ...v6].toSorted();
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return []; // a kernel without that family
  }
}

/** Looks every two seconds and tells when something changed. */
export class Surroundings {
  readonly #clock: Clock;
  readonly #readNetwork: () => string;
  readonly #disturbed: (what: Disturbance) => void;
  #last: Reading;
  #timer: Timer | undefined;

  constructor(ports: { clock: Clock; readNetwork: () => string; disturbed: (what: Disturbance) => void }) {
    this.#clock = ports.clock;
    this.#readNetwork = ports.readNetwork;
    this.#disturbed = ports.disturbed;
    this.#last = this.#read();
  }

  start(): void {
    this.#timer = this.#clock.after(EVERY_MS, () => {
      const now = this.#read();
      const what = compare(this.#last, now);
      this.#last = now;
      this.start();
      if (what !== undefined) this.#disturbed(what);
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #read(): Reading {
    return {
      network: this.#readNetwork(),
      wallMs: this.#clock.wallMs(),
      monotonicMs: this.#clock.monotonicMs(),
    };
  }
}
