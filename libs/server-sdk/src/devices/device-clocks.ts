import type { Sample, Event } from '@bowline/messages';
import { keys } from '../store/keys.ts';
import { put, read, type ServerStore, type Write } from '../store/server-store.ts';

/** By boot id: epoch milliseconds less milliseconds since that boot. */
type Offsets = Record<string, number>;

/** Boots of a device whose clock was wrong at first; of more, the oldest is forgotten. */
const MOST_BOOTS = 64;

/**
 * When a device's samples from before its clock was right really were (protocol, section 5, Time). It tells the offset of a boot
 * once, by the event `clock-synchronised`; that is kept longer than the event is, and the samples stay as they came: they are put
 * right when they are read, so no matter which of both comes first.
 */
export class DeviceClocks {
  readonly #store: ServerStore;

  constructor(store: ServerStore) {
    this.#store = store;
  }

  /** What is to be written with the event, so that both are there or neither. */
  learned(deviceId: string, { kind, data }: Pick<Event, 'kind' | 'data'>): Write[] {
    if (kind !== 'clock-synchronised') return [];
    const { bootId, offsetMs } = data;
    if (typeof bootId !== 'string' || typeof offsetMs !== 'number') return [];
    const known = this.#offsets(deviceId);
    // A collector that was started anew tells it once more: samples that were shown stay where they are.
    if (known[bootId] !== undefined) return [];
    const kept = [...Object.entries(known), [bootId, offsetMs] as const].slice(-MOST_BOOTS);
    return [put(keys.clocks(deviceId), Object.fromEntries(kept))];
  }

  /** A function that puts a sample of this device right, if it came from a clock that was not. */
  correction(deviceId: string): (sample: Sample) => Sample {
    const offsets = new Map(Object.entries(this.#offsets(deviceId)));
    if (offsets.size === 0) return (sample) => sample;
    return (sample) => {
      if (sample.quality !== 'unsynchronised' || sample.monoMs === undefined) return sample;
      const offsetMs = offsets.get(sample.bootId ?? '');
      if (offsetMs === undefined) return sample;
      const { bootId: _boot, monoMs, ...rest } = sample;
      return { ...rest, at: Math.max(0, Math.round(monoMs + offsetMs)), quality: 'estimated' };
    };
  }

  #offsets(deviceId: string): Offsets {
    return read<Offsets>(this.#store, keys.clocks(deviceId)) ?? {};
  }
}
