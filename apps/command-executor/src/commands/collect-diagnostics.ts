import { redact } from '@bowline/runtime/redact';
import type { CommandContext, CommandDefinition } from '../core/command.ts';

const SECTIONS = {
  versions: ({ device }) => device.versions(),
  uptime: ({ device }) => ({
    bootId: device.bootId(),
    systemSeconds: device.uptimeSeconds(),
    processSeconds: device.processUptimeSeconds(),
  }),
  memory: ({ device }) => device.memory(),
  load: ({ device }) => device.loadAverage(),
  orders: (context) => context.orders(),
  policy: ({ policy: { source, fault, isAllowed, needsSignature }, commands }) => {
    const allow = commands.map(({ name }) => name).filter(isAllowed);
    return {
      source,
      ...(fault === undefined ? {} : { fault }),
      allow,
      signed: allow.filter(needsSignature),
    };
  },
} as const satisfies Record<string, (context: CommandContext) => unknown>;

type Section = keyof typeof SECTIONS;
const NAMES = Object.keys(SECTIONS) as Section[];

interface Params {
  sections?: Section[];
  upload?: boolean;
}

/**
 * The first look at a device that misbehaves: what is small comes back as the result, and with it and all that is larger a
 * bundle goes up on lane `history`.
 */
export const collectDiagnostics: CommandDefinition<Params> = {
  name: 'collectDiagnostics',
  description:
    'Reports versions, uptime, memory, load, orders and policy, and uploads them with status, configuration, logs and journal; without secrets.',
  idempotent: true,
  params: {
    type: 'object',
    properties: {
      sections: {
        type: 'array',
        items: { type: 'string', enum: NAMES },
        uniqueItems: true,
        minItems: 1,
        description: 'of the result; all if absent',
      },
      upload: {
        type: 'boolean',
        description:
          'whether the bundle with status, configuration, logs and journal is uploaded; default true',
      },
    },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['at'],
    properties: {
      at: { type: 'integer', description: "the device's wall clock, epoch milliseconds" },
      ...Object.fromEntries(NAMES.map((name) => [name, {}])),
      bundle: {
        type: 'object',
        required: ['parts', 'sizeBytes'],
        properties: {
          parts: { type: 'integer', description: 'messages of type `history` for this order' },
          sizeBytes: { type: 'integer', description: 'of its JSON, unpacked' },
        },
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
  run: async ({ sections = NAMES, upload = true }, context) => {
    const { clock, machine, order, signal } = context;
    const at = Math.round(clock.wallMs());
    const told = (names: readonly Section[]) =>
      Object.fromEntries(names.map((name) => [name, redact(SECTIONS[name](context))]));
    if (!upload) return { at, ...told(sections) };
    const make = async () =>
      JSON.stringify({ at, ...told(NAMES), ...(await machine.collect(order, signal)) });
    return { at, ...told(sections), bundle: await machine.upload(make, order, signal) };
  },
};
