import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { signClaims, verifyHostKeyProof } from '@bowline/identity';
import {
  check,
  isTerminal,
  type NewSshSession,
  type Order,
  type SessionStarted,
  type SshGrant,
} from '@bowline/messages';
import { sessionStarted } from '@bowline/messages/tunnel';
import { RejectedError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { askSigner } from '../adapters/ask-signer.ts';
import { deviceKeyFor, type Expected } from '../adapters/known-devices.ts';
import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import { SessionFiles } from '../adapters/session-files.ts';
import { openKey } from '../adapters/signing-keys.ts';
import { remark } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { duration } from '../core/format.ts';
import { exitCodeOf, whyNot, wordsOf } from '../core/order-progress.ts';
import { grantFor, type GrantOptions } from '../core/ssh-grant.ts';
import type { SshWish } from '../core/ssh-wish.ts';
import { approvedBy } from './approved-ssh.ts';
import type { Context } from './context.ts';
import { tellBreak } from './tell-break.ts';

export interface SshOptions extends GrantOptions {
  sign: string | undefined;
  signer: string | undefined;
  /** What the device's key must be. */
  expected: Expected;
  /** A certificate of the operator's own instead of a key for this session. */
  principal: string | undefined;
  identity: string | undefined;
  /** Of an approval at the signer. */
  code?: string;
}

/** The window was closed, or somebody ends us: the session goes with its client, and so do key and token. */
const LEAVING = ['SIGHUP', 'SIGTERM'] as const;
type OpenSession = NewSshSession & { orderId: string };

const POLL_MS = 100;
/** By the code of a refusal. */
const ADVICE: Record<string, string> = {
  'session-active':
    'See: bowline fleet ssh-sessions; one is ended with: bowline fleet ssh-sessions end SESSION',
};
/** A device that is online answers at once; one that is not is not waited for. */
const START_WITHIN_MS = 30_000;
/** A server that restarts is back by then. */
const END_WITHIN_MS = 5000;
const END_RETRY_MS = 500;

/**
 * Opens a session and has stock ssh (or scp, sftp, rsync) use it, then ends it.
 *
 * @param argsWith the program's arguments, given the file of its configuration.
 * @returns its exit code.
 */
export async function ssh(
  context: Context,
  api: OperatorsApi,
  deviceId: string,
  wish: SshWish,
  options: SshOptions,
  argsWith: (configFile: string) => string[],
): Promise<number> {
  await findDevice(api, deviceId);
  const approved = await approvedBy(context, deviceId, wish, options);
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  for (const signal of LEAVING) process.on(signal, leave);
  const files = new SessionFiles();
  let session: OpenSession | undefined;
  try {
    const signal = AbortSignal.any([context.signal, leaving.signal]);
    session = await openSession({ ...context, signal }, api, deviceId, wish, approved ?? options, files);
    const exitCode = await run(wish.program, argsWith(files.config), leaving.signal);
    if (!leaving.signal.aborted) await tellBreak(api, session, exitCode);
    return exitCode;
  } finally {
    files.remove();
    if (session !== undefined) await endAtServer(api, session);
  }
}

async function openSession(
  context: Context,
  api: OperatorsApi,
  deviceId: string,
  wish: SshWish,
  options: SshOptions,
  files: SessionFiles,
): Promise<OpenSession> {
  const { user, forMs, streams, reason } = options;
  const session = await api.newSshSession(deviceId, { expiresInMs: forMs, streams, user, reason });
  try {
    const { sessionId, tunnelUrl, deviceToken: token, operatorUrl, operatorToken } = session;
    const deviceKey = await deviceKeyFor(
      context.env,
      { server: api.url, deviceId, key: session.deviceKey },
      options.expected,
    );
    const ids = { orderId: newId(), jti: newId() };
    const claims = grantFor(deviceId, session, wish, options, await keyClaims(options, files), ids);
    const grant = await signed(context, options, claims);
    const order = await api.giveOrder(deviceId, {
      type: 'sshAccess',
      orderId: ids.orderId,
      payload: { grant, tunnelUrl, token },
      expiresInMs: forMs,
    });
    const { hostKey, proof } = await untilStarted(context, api, order);
    const hostKeySha256 = fingerprint(hostKey);
    try {
      await verifyHostKeyProof(proof, { deviceKey, sessionId, hostKeySha256 });
    } catch (cause) {
      if (!(cause instanceof RejectedError)) throw cause;
      throw new CliError(cause.code, `The host key is not ${deviceId}'s own: ${cause.message}.`, {
        exitCode: EXIT.serverRefused,
        advice: 'Something between you and the device may be listening. Nothing was sent to it.',
        cause,
      });
    }
    const tunnel = { url: operatorUrl, token: operatorToken };
    const { sshProxy } = context;
    files.write({
      deviceId,
      user,
      sessionId,
      hostKey,
      identityFile: options.identity,
      tunnel,
      sshProxy,
      agentForward: wish.agentForward,
    });
    remark(`Session ${sessionId}, as ${user}, for ${duration(forMs)}.`);
    return { ...session, orderId: ids.orderId };
  } catch (error) {
    await api.endSshSession(session.sessionId).catch(() => undefined);
    throw error;
  }
}

async function keyClaims(
  { principal }: SshOptions,
  files: SessionFiles,
): Promise<Pick<SshGrant, 'publicKey' | 'principal'>> {
  return principal === undefined ? { publicKey: await files.makeKey() } : { principal };
}

async function signed(
  { env }: Context,
  { sign, signer, code }: SshOptions,
  claims: SshGrant,
): Promise<string> {
  const by = code === undefined ? undefined : { token: code, isCode: true };
  if (signer !== undefined) return askSigner(env, signer, 'sshAccess', claims, by);
  return signClaims('sshAccess', await openKey(env, sign ?? 'access'), claims);
}

/** @throws CliError with the device's own words if it refuses. */
async function untilStarted({ signal }: Context, api: OperatorsApi, given: Order): Promise<SessionStarted> {
  const { orderId } = given;
  for (const until = performance.now() + START_WITHIN_MS; performance.now() < until && !signal.aborted;) {
    const order = await api.order(orderId);
    if (order.status === 'started') return check<SessionStarted>(sessionStarted, order.result, 'result');
    if (isTerminal(order.status)) {
      const words = wordsOf(order);
      const sentence =
        order.status === 'rejected' && words !== undefined ? `The device refused: ${words}.` : whyNot(order);
      throw new CliError(order.error?.code ?? order.status, sentence, {
        exitCode: exitCodeOf(order) ?? EXIT.orderFailed,
        advice: ADVICE[order.error?.code ?? ''] ?? '',
        details: { orderId },
      });
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  await api.cancelOrder(orderId).catch(() => undefined);
  throw new CliError('device-silent', `${given.deviceId} has not opened the session.`, {
    exitCode: EXIT.orderUnfinished,
    advice: 'Is it online? bowline fleet devices shows that. The order was withdrawn.',
    details: { orderId },
  });
}

/** The server may be away for the moment. Without its word the session stays open on the device, for as long as it may. */
async function endAtServer(api: OperatorsApi, { sessionId }: OpenSession): Promise<void> {
  for (const until = performance.now() + END_WITHIN_MS; ; await sleep(END_RETRY_MS)) {
    try {
      await api.endSshSession(sessionId);
      return;
    } catch (error) {
      if (error instanceof CliError && error.details['status'] === 404) return; // it has ended
      if (performance.now() < until) continue;
      remark(
        'The server could not be told that the session is over: it stays open until it is idle, or its time is up.',
      );
      remark(`To end it, once the server is back: bowline fleet ssh-sessions end ${sessionId}`);
      return;
    }
  }
}

/** OpenSSH's, of `TYPE KEY`. */
function fingerprint(hostKey: string): string {
  const blob = Buffer.from(hostKey.split(' ')[1] ?? '', 'base64');
  return createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
}

/** In the foreground, as if it had been started by hand; Ctrl-C is its own. */
function run(program: string, args: string[], leaving: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    const leave = () => child.kill('SIGHUP');
    if (leaving.aborted) leave();
    leaving.addEventListener('abort', leave);
    child.once('error', (cause) =>
      reject(
        new CliError('no-ssh', `${program} could not be started.`, {
          exitCode: EXIT.notReady,
          advice: `Install it on this machine (Debian: ${program === 'rsync' ? 'rsync' : 'openssh-client'}).`,
          cause,
        }),
      ),
    );
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? EXIT.calledOff : 1)));
  });
}
