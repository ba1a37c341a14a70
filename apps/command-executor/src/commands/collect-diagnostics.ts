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
}

/** The first look at a device that misbehaves; small enough to come back inline. */
export const collectDiagnostics: CommandDefinition<Params> = {
  name: 'collectDiagnostics',
  description:
    'Reports versions, uptime, memory, load, the orders of this executor and its policy; without secrets.',
  idempotent: true,
  params: {
    type: 'object',
    properties: {
      sections: {
        type: 'array',
        items: { type: 'string', enum: NAMES },
        uniqueItems: true,
        minItems: 1,
        description: 'all if absent',
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
    },
    additionalProperties: false,
  },
  run: ({ sections = NAMES }, context) => ({
    at: Math.round(context.clock.wallMs()),
    ...Object.fromEntries(sections.map((name) => [name, redact(SECTIONS[name](context))])),
  }),
};
