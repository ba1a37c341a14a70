import type { NewMessage } from '@bowline/ipc';
import type { SeededRandom } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';

/** Size of a message as an app hands it over: the JSON of its id, type, time and payload. */
export const MESSAGE_BYTES = 200;

const AT = 1_700_000_000_000;

/** One sample of a made-up sensor; the name of its series makes up for what is missing to {@link MESSAGE_BYTES}. */
export function message(random: SeededRandom): NewMessage {
  const sample = {
    series: 'bench.',
    at: AT + random.integer(0, 1_000_000),
    value: random.integer(0, 1_000_000),
  };
  const made: NewMessage = {
    id: uuidv7(),
    type: 'telemetry',
    sentAt: sample.at,
    payload: { samples: [sample] },
  };
  const missing = MESSAGE_BYTES - JSON.stringify(made).length;
  sample.series = sample.series.padEnd(sample.series.length + missing, 'x');
  return made;
}

/** As {@link message}, as text: for those that do not look into it. */
export const messageText = (random: SeededRandom): string => JSON.stringify(message(random));
