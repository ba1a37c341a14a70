import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { askIngest, type IngestCall } from '../adapters/ingest.ts';
import { print, printJson } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { givenValue } from '../core/given-values.ts';
import type { Context } from './context.ts';

export interface SendOptions {
  /** Of every sample. */
  unit?: string;
  /** Ends only when the gateway has it on its disk. */
  durable?: boolean;
  /** An event of this kind instead of samples; the values are its data. */
  event?: string;
  severity?: string;
  /** By which a repeated event is known. */
  key?: string;
  /** Of the collector, if it is not that of the installation. */
  socket?: string;
}

/** Most lines in one request. */
const BATCH_LINES = 500;

/** `bowline send`: what a program on the device would hand in by HTTP. */
export async function send(context: Context, values: readonly string[], options: SendOptions): Promise<void> {
  if (options.event !== undefined) return sendEvent(context, options.event, values, options);
  if (values.length === 1 && values[0] === '-') return sendLines(context, options);
  if (values.length === 0) {
    throw usage('What is to be sent?', 'Write e.g. bowline send temperature=21.5, or: bowline send - < FILE');
  }
  const { unit } = options;
  const samples = values
    .map((each) => givenValue(each))
    .map(({ name, value }) => ({
      series: name,
      value,
      ...(unit === undefined ? {} : { unit }),
    }));
  const body = JSON.stringify(samples);
  report(
    context,
    await ask(context, options, { path: pathOf(options), contentType: 'application/json', body }),
  );
}

async function sendEvent(
  context: Context,
  kind: string,
  values: readonly string[],
  { severity, key = randomUUID(), ...options }: SendOptions,
): Promise<void> {
  const data = Object.fromEntries(
    values.map((each) => givenValue(each)).map(({ name, value }) => [name, value]),
  );
  const body = JSON.stringify({ kind, data, ...(severity === undefined ? {} : { severity }) });
  report(
    context,
    await ask(context, options, { path: '/v1/events', contentType: 'application/json', body, key }),
  );
}

/** Samples as NDJSON from standard input, as they come: what came at once goes together. */
async function sendLines(context: Context, options: SendOptions): Promise<void> {
  let [accepted, sameMoment] = [0, 0];
  let begun = '';
  const sendAll = async (lines: readonly string[]) => {
    const filled = lines.filter((line) => line.trim() !== '');
    for (let at = 0; at < filled.length; at += BATCH_LINES) {
      const batch = filled.slice(at, at + BATCH_LINES);
      const body = batch.join('\n');
      const answered = await ask(context, options, {
        path: pathOf(options),
        contentType: 'application/x-ndjson',
        body,
      });
      sameMoment += Number(answered['sameMoment'] ?? 0);
      accepted += batch.length;
    }
  };
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin as AsyncIterable<string>) {
    const lines = (begun + chunk).split('\n');
    begun = lines.pop() ?? '';
    await sendAll(lines);
  }
  await sendAll([begun]);
  report(context, {
    accepted,
    durable: options.durable ?? false,
    ...(sameMoment > 0 ? { sameMoment } : {}),
  });
}

function ask(context: Context, { socket }: SendOptions, call: IngestCall): Promise<Record<string, unknown>> {
  const path = socket ?? join(context.installation().runDir, 'ingest', 'ingest.sock');
  return askIngest(path, call, context);
}

const pathOf = ({ durable = false }: SendOptions) => (durable ? '/v1/samples?durable=1' : '/v1/samples');

function report({ json }: Context, answered: Record<string, unknown>): void {
  if (json) return printJson(answered);
  const { accepted, id, durable, sameMoment } = answered;
  if (id !== undefined) return print(`Stored as event ${String(id)}.`);
  print(
    `${String(accepted)} ${accepted === 1 ? 'sample' : 'samples'} ${durable === true ? 'stored' : 'accepted'}.`,
  );
  if (sameMoment !== undefined)
    print(
      `Of those, the server will not show ${String(sameMoment)}: it shows the first of each series and time. Give each its own "at".`,
    );
}

const usage = (sentence: string, advice: string) =>
  new CliError('usage', sentence, { exitCode: EXIT.usage, advice });
