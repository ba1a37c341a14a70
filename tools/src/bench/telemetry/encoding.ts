import { once } from 'node:events';
import { constants, createDeflateRaw } from 'node:zlib';
import type { Sample } from '@bowline/messages';
import type { BenchContext } from '../context.ts';
import { BATCH_SECONDS, Recording } from '../history/recording.ts';
import { row, type Row } from '../row.ts';
import { toColumns } from './columns.ts';
import { measureLink, type Workload } from './link-bytes.ts';

/** As the collector hands over by default (`telemetry.batchSamples`), and what a device at rest has in half a minute. */
const WORKLOADS = [
  { name: '50 series at 1 Hz', series: 50, messageSamples: 500 },
  { name: '40 samples a half minute', series: 40, messageSamples: 40 },
];
const MESSAGES = 60;
/** Of those, one after the other over a real link. */
const LINK_MESSAGES = 20;
const COLUMNS_MUST_SAVE_PERCENT = 30;
/** RFC 7692, section 7.2.1: the empty block at the end of a message is not sent. */
const TAIL_BYTES = 4;

type Encoding = (samples: readonly Sample[]) => object;
const ENCODINGS: Record<string, Encoding> = { plain: (samples) => ({ samples }), columns: toColumns };

/** Bytes of a sample on the wire, plain and in columns, without and with permessage-deflate. docs/benchmarks.md explains each row. */
export async function benchEncoding(context: BenchContext): Promise<Row[]> {
  const { random, say } = context;
  const rows: Row[] = [];
  const onLink: Workload[] = [];
  for (const { name, series, messageSamples } of WORKLOADS) {
    say(name);
    const messages = messagesOf(new Recording(random, series), series, messageSamples);
    onLink.push(messages.slice(0, LINK_MESSAGES));
    const bytes: Record<string, Record<string, number>> = {};
    for (const [encoding, encode] of Object.entries(ENCODINGS)) {
      const texts = messages.map((samples, index) => frameOf(encode(samples), index));
      bytes[encoding] = {
        'as it is': texts.reduce((sum, text) => sum + text.length, 0),
        'deflate, each message alone': await deflated(texts, false),
        'deflate, one context': await deflated(texts, true),
      };
    }
    const samples = messages.length * messageSamples;
    for (const way of Object.keys(bytes['plain'] ?? {})) {
      const [plain = NaN, columns = NaN] = [bytes['plain']?.[way], bytes['columns']?.[way]];
      rows.push(
        row(`${name}: plain, ${way}`, plain / samples, 'bytes/sample'),
        row(`${name}: columns, ${way}`, columns / samples, 'bytes/sample'),
        row(
          `${name}: columns save, ${way}`,
          100 * (1 - columns / plain),
          '%',
          way === 'as it is' ? {} : { goal: { atLeast: COLUMNS_MUST_SAVE_PERCENT } },
        ),
      );
    }
  }
  for (const compression of [false, true]) {
    say(`on a link ${compression ? 'with' : 'without'} permessage-deflate`);
    const found = await measureLink(context, { compression, workloads: onLink });
    const way = compression ? 'on a link, packed' : 'on a link';
    found.forEach(({ plain, columns }, index) => {
      const { name, messageSamples } = WORKLOADS[index] ?? { name: '', messageSamples: NaN };
      const samples = LINK_MESSAGES * messageSamples;
      rows.push(
        row(`${name}: plain, ${way}`, plain / samples, 'bytes/sample'),
        row(`${name}: columns, ${way}`, columns / samples, 'bytes/sample'),
        row(`${name}: columns save, ${way}`, 100 * (1 - columns / plain), '%'),
      );
    });
  }
  return rows;
}

/** Every `messageSamples / series` seconds one message; at rest one sample of each series. */
function messagesOf(recording: Recording, series: number, messageSamples: number): Sample[][] {
  const messages: Sample[][] = [];
  const isAtRest = messageSamples === series;
  while (messages.length < MESSAGES) {
    const samples = recording.next();
    if (isAtRest) messages.push(samples.slice(0, series));
    else
      for (let at = 0; at + messageSamples <= series * BATCH_SECONDS; at += messageSamples)
        messages.push(samples.slice(at, at + messageSamples));
  }
  return messages.slice(0, MESSAGES);
}

/** The envelope as the gateway sends it (protocol, section 2). */
const frameOf = (payload: object, seq: number): string =>
  JSON.stringify({
    type: 'telemetry',
    id: `019a0b3c-5d6e-7f80-9123-${seq.toString(16).padStart(12, '0')}`,
    lane: 'telemetry',
    seq,
    sentAt: 1_790_000_000_000 + 1000 * seq,
    payload,
  });

/** Bytes after permessage-deflate, with the compression and window that ws has by default. */
async function deflated(texts: readonly string[], isOneContext: boolean): Promise<number> {
  let bytes = 0;
  let deflate = createDeflateRaw();
  for (const text of texts) {
    if (!isOneContext) deflate = createDeflateRaw();
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer) => void chunks.push(chunk);
    deflate.on('data', take);
    if (!deflate.write(text)) await once(deflate, 'drain');
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    deflate.off('data', take);
    bytes += chunks.reduce((sum, { length }) => sum + length, 0) - TAIL_BYTES;
  }
  return bytes;
}
