import type { History, HistoryRequest } from '@bowline/messages';
import { checkSchedule, type Schedule, type Scheduler } from '@bowline/scheduler';
import type { LogUpload } from '../history-config.ts';
import type { HistorySource } from '../orders/item.ts';
import { uploadLog, type LogUploadOptions } from './log-upload.ts';

export interface LogUploadsOptions {
  scheduler: Pick<Scheduler, 'set' | 'remove'>;
  /** @throws RejectedError: this device does not hand that out. */
  source(request: HistoryRequest): HistorySource;
  state(name: string): LogUploadOptions['state'];
  room(signal: AbortSignal): Promise<void>;
  send(payload: History, signal: AbortSignal): Promise<void>;
  newId(): string;
  nowMs(): number;
  /** An upload ended; of nothing if there was nothing new. */
  uploaded(name: string, items: number): void;
}

/** One job for each configured upload of logs or journal, under its name with `upload-` before it. */
export class LogUploads {
  readonly #options: LogUploadsOptions;
  #planned = new Map<string, string>();

  constructor(options: LogUploadsOptions) {
    this.#options = options;
  }

  /** @throws ConfigError `schedule-invalid` */
  plan(uploads: Readonly<Record<string, LogUpload>>): void {
    const { scheduler } = this.#options;
    // All of them or none.
    for (const each of Object.values(uploads)) checkSchedule(scheduleOf(each));
    for (const name of this.#planned.keys()) {
      if (uploads[name] !== undefined) continue;
      scheduler.remove(jobOf(name));
      this.#planned.delete(name);
    }
    for (const [name, config] of Object.entries(uploads)) {
      const text = JSON.stringify(config);
      if (this.#planned.get(name) === text) continue;
      scheduler.set({
        name: jobOf(name),
        schedule: scheduleOf(config),
        jitterMs: config.jitterMs,
        missed: 'run',
        run: (signal) => this.#run(name, config, signal),
      });
      this.#planned.set(name, text);
    }
  }

  async #run(name: string, config: LogUpload, signal: AbortSignal): Promise<void> {
    const { source, state, room, send, newId, nowMs, uploaded } = this.#options;
    const { kind, app, filter } = config;
    const asked = {
      kind,
      ...(app === undefined ? {} : { app }),
      ...(filter === undefined ? {} : { filter }),
    };
    const items = await uploadLog(
      {
        name,
        config,
        source: (range) => source({ ...asked, ...range }),
        state: state(name),
        room: () => room(signal),
        send: (payload) => send(payload, signal),
        newId,
        nowMs: nowMs(),
      },
      signal,
    );
    uploaded(name, items);
  }
}

const scheduleOf = ({ cron, everyMs }: LogUpload): Schedule => (cron === undefined ? { everyMs } : { cron });

const jobOf = (name: string): string => `upload-${name}`;
