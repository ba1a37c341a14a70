import { seededRandom } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import {
  inForce,
  judgeDocument,
  remainingMs,
  transition,
  type BootMoment,
  type ConfigStep,
  type ConfigStepEvent,
  type OverrideTrial,
} from './config-step.ts';

const at = (monotonicMs: number, bootId = 'boot-1'): BootMoment => ({ bootId, monotonicMs });
const begun = (change: Partial<Extract<ConfigStepEvent, { type: 'begun' }>> = {}): ConfigStepEvent => ({
  type: 'begun',
  orderId: 'o1',
  version: 2,
  needsLink: false,
  until: at(1000),
  ...change,
});
const restarted = (now: BootMoment): ConfigStepEvent => ({ type: 'restarted', now, applyWithinMs: 500 });
const after = (...events: ConfigStepEvent[]): ConfigStep =>
  events.reduce<ConfigStep>(transition, { phase: 'settled', version: 1 });
const errors = [{ app: 'a', key: 'k', message: 'no' }];

describe('transition', () => {
  it('when all have it, the new version is in force; when one fails, the old one is, at once and at the end', () => {
    expect(after(begun(), { type: 'reached' })).toEqual({ phase: 'settled', version: 2 });
    const failing = after(begun(), { type: 'failed', errors });
    expect(failing).toEqual({
      phase: 'returning',
      orderId: 'o1',
      version: 2,
      previous: 1,
      needsLink: false,
      errors,
    });
    expect(inForce(failing)).toBe(1);
    expect(transition(failing, { type: 'returned' })).toEqual({ phase: 'settled', version: 1 });
  });

  it('when the gateway restarts within the time of a trial, the trial goes on with what is left', () => {
    const trial = after(begun({ needsLink: true }));
    expect(transition(trial, restarted(at(999)))).toEqual(trial);
  });

  it.each([
    ['after its time', at(1000)],
    ['in another boot, whatever the clock there says', at(1, 'boot-2')],
  ])('when the gateway restarts %s, a trial returns', (_, now) => {
    expect(transition(after(begun({ needsLink: true })), restarted(now))).toMatchObject({
      phase: 'returning',
      previous: 1,
    });
  });

  it('when the power was cut while apps took what needs no link, it goes on with time of its own', () => {
    const step = transition(after(begun()), restarted(at(7, 'boot-2')));
    expect(step).toMatchObject({ phase: 'applying', until: { bootId: 'boot-2', monotonicMs: 507 } });
  });

  it('when events of cloud and person come in any order, only what was begun and reached is ever kept', () => {
    const random = seededRandom();
    for (let run = 0; run < 1000; run += 1) {
      let step: ConfigStep = { phase: 'settled', version: 1 };
      let kept = 1;
      let override: OverrideTrial['to'] = { pick: 0 };
      let boot = 1;
      let nowMs = 0;
      for (let index = 0; index < 20; index += 1) {
        nowMs += random.integer(0, 400);
        if (random.next() < 0.1) [boot, nowMs] = [boot + 1, 0];
        const now = at(nowMs, `boot-${boot}`);
        const until = at(nowMs + 500, `boot-${boot}`);
        const needsLink = random.next() < 0.5;
        const byPerson = { until, orderId: undefined };
        const event = random.pick<ConfigStepEvent>([
          begun({ version: kept + random.integer(1, 3), needsLink, until }),
          begun({ ...byPerson, version: random.integer(0, kept), needsLink }),
          begun({
            ...byPerson,
            version: kept,
            needsLink: true,
            override: { from: override, to: { pick: random.integer(1, 9) } },
          }),
          { type: 'reached' },
          { type: 'failed', errors },
          { type: 'returned' },
          restarted(now),
        ]);
        const next = transition(step, event);
        if (step.phase === 'applying' && event.type === 'reached') {
          kept = step.version;
          override = step.override?.to ?? override;
        }
        const isTrialInTime = next.phase !== 'applying' || remainingMs(next.until, now) > 0;
        const rules = {
          'settled is only ever what was reached last':
            next.phase === 'settled' ? next.version === kept : next.previous === kept,
          'once it returns it never goes forward again':
            step.phase !== 'returning' || next.phase !== 'applying',
          'what runs after a restart has time left': event.type !== 'restarted' || isTrialInTime,
          'a restart gives a trial no more time':
            event.type !== 'restarted' || next.phase !== 'applying' || !next.needsLink || next === step,
          'whoever starts now knows what the apps are to have':
            inForce(next) === (next.phase === 'applying' ? next.version : kept),
          'an override goes back to what was reached last':
            next.phase === 'settled' || next.override === undefined || next.override.from === override,
          'a trial of an override leaves the document alone':
            next.phase === 'settled' || next.override === undefined || next.version === kept,
          'what is under way, and for whom, stays the same to its end':
            step.phase === 'settled' ||
            next.phase === 'settled' ||
            (next.override === step.override &&
              next.orderId === step.orderId &&
              next.version === step.version &&
              next.needsLink === step.needsLink),
        };
        expect(rules).toEqual(Object.fromEntries(Object.keys(rules).map((rule) => [rule, true])));
        step = next;
      }
    }
  });
});

it('when a document comes, its version and content say what it is', () => {
  expect(judgeDocument(3, 4, false)).toBe('new');
  expect(judgeDocument(3, 4, true)).toBe('unchanged');
  expect(judgeDocument(3, 3, true)).toBe('unchanged');
  expect(judgeDocument(3, 3, false)).toBe('conflict');
  expect(judgeDocument(3, 2, true)).toBe('stale');
  expect(judgeDocument(0, 1, true)).toBe('unchanged');
});
