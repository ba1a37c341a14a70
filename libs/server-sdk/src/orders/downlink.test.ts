import { describe, expect, it } from 'vitest';
import { resumeDownlink, type DownlinkState, type Resumption } from './downlink.ts';

const state = (change: Partial<DownlinkState> = {}): DownlinkState => ({
  serverEpoch: 'S',
  next: 6,
  offered: 4,
  receipted: 2,
  orders: 5,
  ...change,
});
const resume = (
  received: number,
  serverEpoch: string | undefined,
  change?: Partial<DownlinkState>,
  { journalLost = false, acksMissing = false } = {},
): Resumption =>
  resumeDownlink(
    state(change),
    'S',
    { received, ...(serverEpoch === undefined ? {} : { serverEpoch }) },
    {
      journalLost,
      acksMissing,
      fresh: 'NEW',
    },
  );

describe('resumeDownlink', () => {
  it.each([2, 3, 4])('when the device holds up to %i of what may have been sent, the rest follows', (seq) => {
    expect(resume(seq, 'S')).toEqual({ kind: 'resume', epoch: 'S', received: seq });
  });

  it('when it holds what was numbered and never sent, the server was set back', () => {
    const setBack = { kind: 'renumber', epoch: 'NEW', journalLost: false, setBack: 'server' };
    expect(resume(5, 'S')).toEqual(setBack);
    expect(resume(1e9, 'S')).toEqual(setBack);
    expect(resume(1e9, 'S', {}, { journalLost: true })).toEqual({ ...setBack, journalLost: true });
  });

  it('when it holds less than it receipted, the device was set back', () => {
    expect(resume(1, 'S')).toEqual({
      kind: 'renumber',
      epoch: 'NEW',
      journalLost: true,
      setBack: 'device',
    });
  });

  it('when its reports are missing here, it gets the orders again to report once more', () => {
    const again = { kind: 'renumber', epoch: 'NEW', journalLost: false };
    expect(resume(3, 'S', {}, { acksMissing: true })).toEqual(again);
  });

  it('when it comes from another epoch, nothing that may have been sent keeps its number under this one', () => {
    expect(resume(0, undefined)).toEqual({ kind: 'renumber', epoch: 'NEW', journalLost: false });
    expect(resume(9, 'OLD')).toEqual({ kind: 'renumber', epoch: 'NEW', journalLost: false });
    expect(resume(0, 'OLD', { offered: 0, receipted: 0 })).toEqual({
      kind: 'renumber',
      epoch: 'S',
      journalLost: false,
    });
  });

  it('when it lost its store, all is numbered anew under an epoch that it cannot know', () => {
    expect(resume(0, undefined, {}, { journalLost: true })).toEqual({
      kind: 'renumber',
      epoch: 'NEW',
      journalLost: true,
    });
    expect(resume(0, 'S', {}, { journalLost: true })).toEqual({
      kind: 'renumber',
      epoch: 'NEW',
      journalLost: true,
    });
  });

  it('when the device has an epoch of its own, that is the one that counts', () => {
    const own = { ownEpoch: 'OWN' };
    expect(resume(3, 'OWN', own)).toEqual({ kind: 'resume', epoch: 'OWN', received: 3 });
    expect(resume(3, 'S', own)).toEqual({ kind: 'renumber', epoch: 'NEW', journalLost: false });
  });

  it('when the whole server has a new epoch since, the device is told that one, unless it shows that it knew it', () => {
    const before = { serverEpoch: 'BEFORE', ownEpoch: 'OWN' };
    expect(resume(3, 'OWN', before)).toEqual({ kind: 'renumber', epoch: 'S', journalLost: false });
    expect(resume(0, 'S', before)).toEqual({ kind: 'renumber', epoch: 'NEW', journalLost: false });
    expect(resume(3, 'S', before)).toEqual({
      kind: 'renumber',
      epoch: 'NEW',
      journalLost: false,
      setBack: 'server',
    });
  });
});
