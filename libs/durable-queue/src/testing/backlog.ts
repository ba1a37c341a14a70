/**
 * `node backlog.ts fill|replay FOLDER COUNT`: fills a lane, or opens the store and replays it to its end as a gateway would,
 * and tells how its memory grew meanwhile, as one JSON object.
 */
import { randomUUIDv7 } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openQueue } from '../open-queue.ts';

const [, , task, folder = '', count = '0'] = process.argv;
const BATCH = 1000;
const payloadJson = JSON.stringify({ samples: [{ series: 'system.cpu.utilization', at: 1, value: 0.5 }] });

const residentBytes = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;

async function fill(): Promise<object> {
  const queue = await openQueue({ folder, wallMs: () => 1 });
  for (let stored = 0; stored < Number(count); stored += BATCH) {
    const messages = Array.from({ length: BATCH }, () => ({
      id: randomUUIDv7(),
      type: 'telemetry',
      sentAt: 1_700_000_000_000,
      payloadJson,
    }));
    await queue.commit({ enqueue: [{ lane: 'history', messages }] });
  }
  const { messages } = queue.lanes().history;
  await queue.close();
  return { messages };
}

/** Sends frames of 60 kB into nothing, and lets the server receipt each window of 2,000 messages. */
async function replay(): Promise<object> {
  const queue = await openQueue({ folder, wallMs: () => 1 });
  const atStart = residentBytes();
  let peak = atStart;
  let messages = 0;
  let receipted = 0;
  for (let seq = 0; ;) {
    const cut = queue.cut('history', seq, { messages: 500, bytes: 60_000 });
    if (cut === undefined) break;
    if (cut.from !== seq + 1) throw new Error(`${cut.from} after ${seq}`);
    seq = cut.to;
    messages += cut.messages;
    if (seq - receipted < 2000) continue;
    await queue.commit({ receipts: { history: seq } });
    receipted = seq;
    peak = Math.max(peak, residentBytes());
  }
  await queue.close();
  return { messages, atStart, grownBytes: peak - atStart };
}

process.stdout.write(JSON.stringify(await (task === 'fill' ? fill() : replay())));
