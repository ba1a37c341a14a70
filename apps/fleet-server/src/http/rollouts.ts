import { checkTime, unverifiedClaims, verifyClaims } from '@bowline/identity';
import { check } from '@bowline/messages';
import { RejectedError, type Clock } from '@bowline/runtime';
import type { RolloutAim, Rollouts, ServerTrust, SignedStage } from '@bowline/server-sdk';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as validators from '../generated/bodies.js';
import { note } from './audit.ts';
import { mustBePublished } from './must-be-published.ts';
import type { RolloutBody, RolloutHaltBody, RolloutStageBody } from './bodies.ts';

export interface RolloutsPorts {
  rollouts: Rollouts;
  trust: ServerTrust;
  clock: Clock;
  /** The repository of releases that this server holds, if it does. */
  releasesDir: string | undefined;
}

type OfRollout = { Params: { rolloutId: string } };

const MAX_FAILED_PERCENT = 5;
const GROUP = 'group:';
/** As part of a key of the store, and of a path. */
const ROLLOUT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Staged rollouts: what an operator has signed for a share of a group, given to its devices one by one, paused, widened. */
export function serveRollouts(http: FastifyInstance, ports: RolloutsPorts): void {
  const { rollouts, trust, clock, releasesDir } = ports;
  const signed = (order: string) => readStage(order, trust, clock.wallMs());

  http.get('/v1/rollouts', () => ({ rollouts: rollouts.list() }));

  http.get<OfRollout>('/v1/rollouts/:rolloutId', ({ params }) => rollouts.get(params.rolloutId));

  http.post('/v1/rollouts', async (request, reply) => {
    const body = check<RolloutBody>(validators.rollout, request.body, 'body');
    const { order, maxFailedPercent = MAX_FAILED_PERCENT, allowEmptyGroup = false } = body;
    const { aim, stage } = await signed(order);
    told(request, aim, stage);
    if (body.allowUnpublished !== true) mustBePublished(releasesDir, aim);
    const by = request.caller?.operator ?? '';
    return reply
      .status(201)
      .send(await rollouts.begin(aim, stage, { by, maxFailedPercent, allowEmptyGroup }));
  });

  http.post<OfRollout>('/v1/rollouts/:rolloutId/stage', async (request, reply) => {
    const { order, allowUnpublished } = check<RolloutStageBody>(
      validators.rolloutStage,
      request.body,
      'body',
    );
    const { aim, stage } = await signed(order);
    if (aim.rolloutId !== request.params.rolloutId)
      throw new RejectedError('rollout-mismatch', `it was signed for the rollout ${aim.rolloutId}`);
    told(request, aim, stage);
    if (allowUnpublished !== true) mustBePublished(releasesDir, aim);
    return reply.send(await rollouts.goOn(aim, stage));
  });

  const halt = (request: FastifyRequest<OfRollout>, status: 'paused' | 'stopped') => {
    const { reason } = check<RolloutHaltBody>(validators.rolloutHalt, request.body, 'body');
    const { rolloutId } = request.params;
    note(request, { rolloutId });
    const by = `by ${request.caller?.operator ?? ''}`;
    return rollouts.halt(rolloutId, status, reason === undefined ? by : `${by}: ${reason}`);
  };
  http.post<OfRollout>('/v1/rollouts/:rolloutId/pause', (request) => halt(request, 'paused'));
  http.post<OfRollout>('/v1/rollouts/:rolloutId/stop', (request) => halt(request, 'stopped'));
}

function told(request: FastifyRequest, { rolloutId, group }: RolloutAim, { percent }: SignedStage): void {
  note(request, { rolloutId, group, percent: String(percent) });
}

/**
 * What was signed. Every device judges it anew; what none of them would take is refused here.
 *
 * @throws RejectedError of the signature (libs/identity, signed-claims.ts), `no-rollout`.
 */
async function readStage(
  order: string,
  trust: ServerTrust,
  nowMs: number,
): Promise<{ aim: RolloutAim; stage: SignedStage }> {
  const group = groupOf(order);
  const { bundle } = trust.current;
  const expected = { bundle, deviceId: '', groups: [group], orderId: '' };
  const { claims } = await verifyClaims('softwareUpdate', order, expected);
  checkTime(claims, nowMs);
  const { rollout, name, version, digest, channel, jti, exp } = claims;
  if (rollout === undefined || !ROLLOUT_ID.test(rollout.salt))
    throw new RejectedError('no-rollout', 'the order needs a claim rollout, its salt the id of the rollout');
  if (name === undefined || (version === undefined && digest === undefined))
    throw new RejectedError('no-rollout', 'the order names no release: name, and version or digest');
  return {
    aim: {
      rolloutId: rollout.salt,
      group,
      channel,
      name,
      ...(version === undefined ? {} : { version }),
      ...(digest === undefined ? {} : { digest }),
    },
    stage: { order, jti, signedUntil: exp * 1000, percent: rollout.percent },
  };
}

function groupOf(order: string): string {
  const claims = unverifiedClaims(order);
  if (claims === undefined) throw new RejectedError('bad-claims', 'the order is no signed order');
  const { aud } = claims;
  if (typeof aud === 'string' && aud.startsWith(GROUP)) return aud.slice(GROUP.length);
  throw new RejectedError('no-rollout', 'a rollout is signed for a group: aud group:NAME');
}
