import { setTimeout as sleep } from 'node:timers/promises';
import { parseEnrolmentToken, readTrustAnchor, writeTrustAnchor } from '@bowline/identity';
import type { HubRequests, IdentityView } from '@bowline/messages/hub';
import { confirm } from '../adapters/confirm.ts';
import { askGateway } from '../adapters/gateway.ts';
import { paint, print, printJson, remark } from '../adapters/terminal.ts';
import { readText } from '../adapters/text-input.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from './context.ts';

/** Two requests to the server at 20 s each, and the disk. */
const ENROLLED_WITHIN_MS = 60_000;
/** The gateway ends in good order, and whoever keeps it running starts it again. */
const BACK_WITHIN_MS = 30_000;
const POLL_MS = 100;

const TRUSTED = {
  token: 'by the token',
  'factory-root': 'by the root of the factory',
  'first-use': 'ON FIRST USE: nothing vouched for it but its own word',
} as const;

const addressOf = ({ version, installation }: Context) => ({ ...installation(), version });

/** `bowline identity`: the public key, alone on standard output; what is known of it beside it. */
export async function identity(context: Context): Promise<void> {
  const view = await askGateway(addressOf(context), 'identity', {});
  if (context.json) return printJson(view);
  print(JSON.stringify(view.publicKey));
  remark(`thumbprint  ${view.thumbprint}`);
  remark(view.enrolment === undefined ? 'not enrolled' : enrolmentLines(view.enrolment));
}

export interface EnrollOptions {
  server?: string;
  token?: string;
  tokenFile?: string;
  trustOnFirstUse: boolean;
  newKey: boolean;
  anchor?: string;
  /** The anchor may come to name another root than it does. */
  replaceAnchor: boolean;
}

/** `bowline enroll`: the gateway proves the token and registers its key. */
export async function enroll(context: Context, options: EnrollOptions): Promise<void> {
  const { server, trustOnFirstUse, newKey } = options;
  const { tokenFile } = options;
  const token = tokenFile === undefined ? options.token : await readText(tokenFile);
  const anchorFile = options.anchor ?? context.installation().trustAnchorFile;
  // Before anything is changed: a token is a few letters that somebody handed over, the anchor was set up by root.
  if (anchorFile !== undefined && token !== undefined && !options.replaceAnchor)
    mustTrustNobodyElse(anchorFile, parseEnrolmentToken(token).rootThumbprint, 'the token');
  const wish: HubRequests['enrol']['request'] = {
    ...(server === undefined ? {} : { server }),
    ...(token === undefined ? {} : { token }),
    trustOnFirstUse,
    newKey,
  };
  const view = await askGateway(addressOf(context), 'enrol', wish, { answerWithinMs: ENROLLED_WITHIN_MS });
  if (context.json) printJson(view);
  else if (view.enrolment !== undefined) print(enrolmentLines(view.enrolment));
  if (anchorFile !== undefined)
    writeAnchor(anchorFile, view, { ...options, ...(token === undefined ? {} : { token }) });
}

/**
 * Whom the apps trust, as the person says who enrols the device: the token's root, never the gateway's word, since the
 * gateway may be captured. Only whoever says `--trust-on-first-use` takes that. A root that was there before (in the anchor,
 * or the factory's in the gateway's configuration) gives way to neither, unless the person says `--replace-anchor`.
 */
function writeAnchor(
  file: string,
  { enrolment }: IdentityView,
  {
    token,
    trustOnFirstUse,
    replaceAnchor,
  }: Pick<EnrollOptions, 'token' | 'trustOnFirstUse' | 'replaceAnchor'>,
): void {
  if (enrolment === undefined || (token === undefined && !trustOnFirstUse)) return;
  const { deviceId, groups } = enrolment;
  const root = token === undefined ? enrolment.rootThumbprint : parseEnrolmentToken(token).rootThumbprint;
  if (root === undefined) return;
  if (!replaceAnchor) {
    mustTrustNobodyElse(file, root, token === undefined ? 'the server' : 'the token');
    mustAgreeWithFactory(file, root, enrolment);
  }
  try {
    writeTrustAnchor(file, { rootThumbprint: root, deviceId, groups });
  } catch (error) {
    throw new CliError(
      'anchor-not-written',
      `The device is enrolled, but ${file} cannot be written: ${String(error)}`,
      {
        exitCode: EXIT.usage,
        advice: 'Without it the apps believe no signature. Do the same again as root.',
        cause: error,
      },
    );
  }
  remark(`The apps of the device trust that root: ${file}`);
}

/** The apps keep what they were told of who this device is; from now on they may be told anew. The root stays. */
function forgetInAnchor(file: string | undefined): void {
  const held = file === undefined ? undefined : readTrustAnchor(file);
  if (file === undefined || held === undefined) return;
  try {
    writeTrustAnchor(file, { rootThumbprint: held.rootThumbprint, since: Date.now() });
  } catch (error) {
    throw new CliError(
      'anchor-not-written',
      `Nothing was forgotten: ${file} cannot be written: ${String(error)}`,
      {
        exitCode: EXIT.usage,
        advice: 'It tells the apps who this device is. Do the same again as root.',
        cause: error,
      },
    );
  }
}

function mustTrustNobodyElse(file: string, root: string, shownBy: 'the token' | 'the server'): void {
  const held = readTrustAnchor(file)?.rootThumbprint;
  if (held === undefined || held === root) return;
  throw anchorDiffers(`${file} names another root than ${shownBy} (${root}): ${held}`);
}

/** The gateway proved the factory's root and never looked at the token's: that one nobody has vouched for. */
function mustAgreeWithFactory(
  file: string,
  root: string,
  { trustedBy, rootThumbprint }: NonNullable<IdentityView['enrolment']>,
): void {
  if (trustedBy !== 'factory-root' || rootThumbprint === root) return;
  throw anchorDiffers(
    `The device is enrolled by the root of its factory (${rootThumbprint ?? 'not told'}), and the token names another ` +
      `(${root}): ${file} is left as it was`,
  );
}

const anchorDiffers = (message: string) =>
  new CliError('anchor-differs', message, {
    exitCode: EXIT.usage,
    advice:
      'If somebody gave you a wrong token, nothing is lost. If you mean to trust the new root: --replace-anchor, as root.',
  });

export interface ResetOptions {
  yes: boolean;
  anchor?: string;
}

/** `bowline reset`: says what would be lost, asks, and has the gateway forget it. */
export async function reset(context: Context, { yes, anchor }: ResetOptions): Promise<void> {
  const address = addressOf(context);
  const { paths, messages, orders } = await askGateway(address, 'losses', {});
  const before = await askGateway(address, 'identity', {});
  remark(`The device forgets who it is, for good:\n${paths.map((path) => `  ${path}`).join('\n')}`);
  remark(
    `${messages} messages that the server has not got, and ${orders} orders that have not ended, go with it.`,
  );
  await confirm('Go on?', { yes, signal: context.signal });
  forgetInAnchor(anchor ?? context.installation().trustAnchorFile);
  await askGateway(address, 'forget', {});
  const after = await untilForgotten(context, before.thumbprint);
  if (context.json) return printJson({ forgotten: paths, thumbprint: after.thumbprint });
  print('Forgotten. The device has a new key; enrol it: bowline enroll');
}

async function untilForgotten(context: Context, thumbprint: string): Promise<IdentityView> {
  const deadline = performance.now() + BACK_WITHIN_MS;
  for (;;) {
    try {
      const view = await askGateway(addressOf(context), 'identity', {});
      if (view.thumbprint !== thumbprint) return view;
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'gateway-away') throw error;
    }
    await sleep(POLL_MS);
    if (performance.now() > deadline) {
      throw new CliError(
        'gateway-away',
        'The device forgets at the next start of its gateway, which has not come.',
        {
          exitCode: EXIT.deviceAway,
          advice: 'Start it: bowline restart ws-gateway',
        },
      );
    }
  }
}

function enrolmentLines(enrolment: NonNullable<IdentityView['enrolment']>): string {
  const { deviceId, name, groups, serverId, link, server, rootThumbprint, trustedBy } = enrolment;
  const trusted = trustedBy === undefined ? undefined : TRUSTED[trustedBy];
  const rows: [string, string | undefined][] = [
    ['device', deviceId],
    ['name', name],
    ['groups', groups.join(', ') || undefined],
    ['server', server],
    ['server id', serverId],
    ['link', link],
    ['root', rootThumbprint],
    ['trusted', trustedBy === 'first-use' && trusted !== undefined ? paint('yellow', trusted) : trusted],
  ];
  return rows
    .flatMap(([title, value]) => (value === undefined ? [] : [`${title.padEnd(10)}  ${value}`]))
    .join('\n');
}
