/**
 * `node --expose-gc backlog.ts fill|replay FOLDER COUNT`: fills a lane, or opens the store and replays it to its end as a
 * gateway would, and tells how its memory grew meanwhile, as one JSON object. What is garbage does not count: how much of it V8
 * lets gather goes by how fast the machine is.
 */
import { randomUUIDv7 } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openQueue } from '../open-queue.ts';

const [, , task, folder = '', count = '0'] = process.argv;
const BATCH = 1000;
/** So that a collection of garbage is not most of what it does. */
const LOOK_EVERY_WINDOWS = 20;
const payloadJson = JSON.stringify({ samples: [{ series: 'system.cpu.utilization', at: 1, value: 0.5 }] });

function residentBytes(): number {
  if (globalThis.gc === undefined)
    throw new Error('without --expose-gc there is garbage in what is measured');
  globalThis.gc();
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

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
  let windows = 0;
  for (let seq = 0; ;) {
    const cut = queue.cut('history', seq, { messages: 500, bytes: 60_000 });
    if (cut === undefined) break;
    if (cut.from !== seq + 1) throw new Error(`${cut.from} after ${seq}`);
    seq = cut.to;
    messages += cut.messages;
    if (seq - receipted < 2000) continue;
    await queue.commit({ receipts: { history: seq } });
    receipted = seq;
    windows += 1;
    if (windows % LOOK_EVERY_WINDOWS === 0) peak = Math.max(peak, residentBytes());
  }
  await queue.close();
  return { messages, atStart, grownBytes: peak - atStart };
}

process.stdout.write(JSON.stringify(await (task === 'fill' ? fill() : replay())));
