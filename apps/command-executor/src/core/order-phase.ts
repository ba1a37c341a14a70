/** Where an order stands in this process. Its durable state is in the gateway's journal. */
export type OrderPhase =
  /** In line, or held until server time is known: nothing was reported, dropping it is safe. */
  | { kind: 'waiting' }
  /** `started` may be on disk, the effect may be under way. */
  | { kind: 'running' }
  /** How it ends is decided and being reported. */
  | { kind: 'ending' };

export type PhaseEvent = 'begin' | 'end';

/** The one transition function of {@link OrderPhase}: waiting → running → ending; no way back. */
export function nextPhase(phase: OrderPhase, event: PhaseEvent): OrderPhase {
  if (event === 'end') return { kind: 'ending' };
  return phase.kind === 'waiting' ? { kind: 'running' } : phase;
}

/** What a cancel achieves in a phase: `cancelled`, the gateway records it; `stopping`, we report how it ended. */
export function cancelOutcome(
  phase: OrderPhase | undefined,
): 'cancelled' | 'stopping' | 'too-late' | 'unknown-order' {
  switch (phase?.kind) {
    case undefined:
      return 'unknown-order';
    case 'waiting':
      return 'cancelled';
    case 'running':
      return 'stopping';
    case 'ending':
      return 'too-late';
  }
}
