import { describe, expect, test } from 'vitest';
import { StallWatch } from '../transport/stall-watch.ts';
import { FetchMeter } from './fetch-meter.ts';
import type { FetchProgress } from './release-source.ts';
import { TokenBucket } from './token-bucket.ts';

describe('TokenBucket', () => {
  test('when more comes than the rate allows, reading waits so long that the mean is held', () => {
    const bucket = new TokenBucket(1000, 0);
    expect(bucket.take(1000, 0)).toBe(0);
    expect(bucket.take(500, 0)).toBe(500);
    expect(bucket.take(0, 500)).toBe(0);
    let nowMs = 500;
    for (let taken = 0; taken < 10_000; taken += 100) nowMs += bucket.take(100, nowMs);
    expect(nowMs).toBe(10_500);
  });

  test('when nothing came for long, no more than one second is let through at once', () => {
    const bucket = new TokenBucket(1000, 0);
    expect(bucket.take(1000, 3_600_000)).toBe(0);
    expect(bucket.take(100, 3_600_000)).toBe(100);
  });
});

describe('StallWatch', () => {
  test('when data comes fast enough, or nobody waits for it, it is no stall', () => {
    const watch = new StallWatch({ stallMs: 1000, minBytesPerSecond: 100 });
    for (let second = 0; second < 10; second += 1) expect(watch.came(100, 1000)).toBe(true);
    for (let piece = 0; piece < 100; piece += 1) expect(watch.came(1, 0)).toBe(true);
  });

  test('when nothing or too little comes in its time, it is one', () => {
    const limits = { stallMs: 1000, minBytesPerSecond: 100 };
    expect(new StallWatch(limits).came(0, 1000)).toBe(false);
    const drip = new StallWatch(limits);
    const verdicts = Array.from({ length: 10 }, () => drip.came(1, 100));
    expect(verdicts).toEqual([...Array<boolean>(9).fill(true), false]);
    expect(new StallWatch({ stallMs: 1000, minBytesPerSecond: 0 }).came(0, 1000)).toBe(false);
  });

  test('when some of the time has passed, the rest of it is what is waited at most', () => {
    const watch = new StallWatch({ stallMs: 1000, minBytesPerSecond: 1 });
    watch.came(1, 400);
    expect(watch.patienceMs).toBe(600);
  });
});

describe('FetchMeter', () => {
  test('when data comes, it is told at most four times a second, with the rate of the last ten', () => {
    const told: FetchProgress[] = [];
    const meter = new FetchMeter(10_000, (progress) => told.push(progress), 0);
    for (let ms = 10; ms <= 20_000; ms += 10) meter.count(ms <= 10_000 ? 1 : 5, ms);
    expect(told.length).toBeLessThanOrEqual(81);
    expect(told.at(-1)).toMatchObject({ totalBytes: 10_000 });
    expect(told.at(-1)?.bytesPerSecond).toBeGreaterThan(450);
    meter.count(-1000, 20_001);
    meter.tell(20_002);
    expect(told.at(-1)?.bytes).toBe(5000);
  });
});
