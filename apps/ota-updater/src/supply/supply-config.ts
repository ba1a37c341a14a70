import { wayOutConfig } from '@bowline/device-app/config';
import { Type, type Static } from 'typebox';

const milliseconds = (value: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: value, unit: 'ms', description });
const path = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, localOnly: true, description }));

/** Where releases come from. The hosts are named on the device: the cloud can choose among releases, not among servers. */
export const SupplyConfig = Type.Object(
  {
    mirrors: Type.Array(Type.String({ pattern: '^https?://' }), {
      localOnly: true,
      maxItems: 16,
      default: [],
      description:
        'base URLs of the update server and its mirrors, the first is asked first; none: no updates over the network',
    }),
    allowInsecure: Type.Boolean({
      default: false,
      localOnly: true,
      description: 'permit http:// (everything is signed all the same, but anybody sees what is fetched)',
    }),
    caFile: path("PEM: authority to be trusted for TLS, instead of the system's"),
    ...wayOutConfig(),
    rootFile: path(
      "the first root of the repository of releases, put there in the factory: wins over the trust bundle's tufRootSha256",
    ),
    bytesPerSecond: Type.Optional(
      Type.Integer({
        minimum: 1024,
        maximum: 2 ** 40,
        unit: 'bytes',
        description: 'cap of all downloads together; default none',
      }),
    ),
    parallel: Type.Integer({ default: 4, minimum: 1, maximum: 32, description: 'downloads at a time' }),
    attempts: Type.Integer({
      default: 5,
      minimum: 1,
      maximum: 100,
      description: 'how often each mirror is tried in vain, without a byte more, before the update waits',
    }),
    stallMs: milliseconds(30_000, 'nothing, or less than minBytesPerSecond, for so long: the next attempt'),
    minBytesPerSecond: Type.Integer({
      default: 100,
      minimum: 0,
      maximum: 2 ** 31 - 1,
      unit: 'bytes',
      description: 'a server that is slower is held to be stuck',
    }),
    reserveBytes: Type.Integer({
      default: 64 * 1024 * 1024,
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      unit: 'bytes',
      description: 'room that an update must leave on the disk',
    }),
  },
  { additionalProperties: false, default: {}, restart: true },
);
export type SupplyConfig = Static<typeof SupplyConfig>;
