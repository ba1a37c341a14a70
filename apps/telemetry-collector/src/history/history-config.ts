import { Type, type Static } from 'typebox';

const DAY_MS = 86_400_000;
const MIB = 2 ** 20;

const bounded = (minimum: number, fallback: number, maximum: number, unit: string, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, unit, description });

/** Logs or journal, uploaded on a schedule of their own (docs/history.md). */
export const LogUpload = Type.Object(
  {
    kind: Type.Enum(['logs', 'journal']),
    app: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$',
        description: 'of logs: whose; of the journal: a unit or the name that a program logs under',
      }),
    ),
    filter: Type.Optional(
      Type.String({ minLength: 1, maxLength: 4096, description: 'only what has this text' }),
    ),
    cron: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'when, in the time zone of the device: "30 3 * * *"; instead of everyMs',
      }),
    ),
    everyMs: bounded(60_000, DAY_MS, 30 * DAY_MS, 'ms', 'how often'),
    jitterMs: bounded(0, 600_000, DAY_MS, 'ms', 'how far it is put off at random'),
    maxBytes: bounded(
      1024,
      4 * MIB,
      1024 * MIB,
      'bytes',
      'of one upload, as JSON before it is packed; what is more goes with the next one',
    ),
  },
  { additionalProperties: false },
);
export type LogUpload = Static<typeof LogUpload>;

/** The local history, and what is uploaded of it (docs/history.md). */
export const HistoryConfig = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      localOnly: true,
      description: 'whether there is a local history',
    }),
    commitMs: bounded(
      0,
      30_000,
      3_600_000,
      'ms',
      'the longest that a sample waits in memory until it is recorded',
    ),
    commitSamples: bounded(100, 5000, 100_000, 'samples', 'so many are recorded at once'),
    sealMs: bounded(
      60_000,
      900_000,
      86_400_000,
      'ms',
      'how often blocks are made of what was recorded, and room',
    ),
    sealSamples: bounded(
      1000,
      100_000,
      10_000_000,
      'samples',
      'and when so many have been recorded since: that many are in memory meanwhile',
    ),
    rawMs: bounded(3_600_000, 7 * DAY_MS, 3650 * DAY_MS, 'ms', 'how long samples are kept'),
    minutesMs: bounded(
      3_600_000,
      90 * DAY_MS,
      3650 * DAY_MS,
      'ms',
      'how long least, greatest and mean of each minute',
    ),
    hoursMs: bounded(3_600_000, 1000 * DAY_MS, 3650 * DAY_MS, 'ms', 'and of each hour'),
    maxBytes: bounded(
      MIB,
      256 * MIB,
      64 * 1024 * MIB,
      'bytes',
      'largest file; the oldest makes room for the newest',
    ),
    reserveBytes: bounded(
      0,
      64 * MIB,
      1024 * 1024 * MIB,
      'bytes',
      "with less free on the disk nothing is recorded; above the gateway's own reserve",
    ),
    mostSeries: bounded(
      16,
      10_000,
      1_000_000,
      'series',
      'most series; samples of further ones are not recorded until those with the fewest samples have made room',
    ),
    retryMs: bounded(
      1000,
      60_000,
      3_600_000,
      'ms',
      'how long after a disk did not take it the history is tried again',
    ),
    spillAfterMs: bounded(
      0,
      900_000,
      7 * DAY_MS,
      'ms',
      'when the cloud has been away for so long, samples go into the history alone and are uploaded later; 0: never',
    ),
    uploadEveryMs: bounded(
      10_000,
      900_000,
      DAY_MS,
      'ms',
      'how often it is looked for what has to be uploaded',
    ),
    uploadJitterMs: bounded(
      0,
      30_000,
      3_600_000,
      'ms',
      'how far an upload is put off at random when the cloud is back',
    ),
    requestBytes: bounded(
      1024,
      16 * MIB,
      1024 * MIB,
      'bytes',
      'largest answer to a historyRequest, as JSON before it is packed',
    ),
    uploads: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }), LogUpload, {
      additionalProperties: false,
      // With the other jobs no more than an app may tell of (libs/messages/src/local/hub.ts).
      maxProperties: 32,
      default: {},
      description: 'logs and journal that are uploaded by themselves, by name; none unless named',
    }),
    journalCommand: Type.Array(Type.String(), {
      default: ['/usr/bin/journalctl'],
      localOnly: true,
      description:
        "journalctl, and options that say where the system's journal is; empty: it is not handed out",
    }),
    uploadAhead: bounded(1, 100, 100_000, 'messages', 'most messages of an upload that wait in the gateway'),
  },
  { additionalProperties: false, default: {} },
);
