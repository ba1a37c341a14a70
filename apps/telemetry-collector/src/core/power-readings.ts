import type { Reading } from './sample.ts';

/** One of /sys/class/power_supply (Documentation/ABI/testing/sysfs-class-power); what it does not tell is undefined. */
export interface PowerSupply {
  name: string;
  /** Percent. */
  capacity: number | undefined;
  /** 1 while it feeds the machine. */
  online: number | undefined;
  microvolts: number | undefined;
  microwatts: number | undefined;
  /** `Charging`, `Discharging`, `Full` … */
  status: string | undefined;
}

export function supplyReadings(supplies: readonly PowerSupply[]): Reading[] {
  return supplies.flatMap(({ name, capacity, online, microvolts, microwatts, status }) => {
    const attributes = [name];
    const given = (metric: string, value: number | undefined, unit: string): Reading[] =>
      value === undefined ? [] : [{ metric, attributes, value, unit }];
    return [
      ...given('hw.battery.charge', capacity === undefined ? undefined : capacity / 100, '1'),
      ...given('hw.voltage', microvolts === undefined ? undefined : microvolts / 1e6, 'V'),
      ...given('hw.power', microwatts === undefined ? undefined : microwatts / 1e6, 'W'),
      ...given('bowline.power.online', online, '1'),
      ...(status === undefined ? [] : [{ metric: 'bowline.power.status', attributes, value: status }]),
    ];
  });
}

/** How fast CPUs run, and what holds them back. */
export interface Throttling {
  /** Each policy of cpufreq, kHz. */
  clocks: readonly { policy: string; kilohertz: number }[];
  /** x86: how often cores were slowed down for heat since boot, all together. */
  throttles: number | undefined;
  /** Raspberry Pi: the firmware's bits (bit 0 under-voltage now, 2 throttled now, 16 and 18 since boot). */
  firmwareBits: number | undefined;
  /** Chips that watch a voltage: 1 while it is too low. */
  undervoltage: readonly { chip: string; alarm: number }[];
}

export function throttlingReadings({ clocks, throttles, firmwareBits, undervoltage }: Throttling): Reading[] {
  return [
    ...clocks.map(({ policy, kilohertz }): Reading => ({
      metric: 'system.cpu.frequency',
      attributes: [policy],
      value: kilohertz * 1000,
      unit: 'Hz',
    })),
    ...(throttles === undefined
      ? []
      : [{ metric: 'bowline.cpu.throttles', value: throttles, unit: '{throttle}' }]),
    ...(firmwareBits === undefined
      ? []
      : [
          { metric: 'bowline.power.undervoltage', value: firmwareBits & 1, unit: '1' },
          { metric: 'bowline.cpu.throttled', value: (firmwareBits >> 2) & 1, unit: '1' },
        ]),
    ...undervoltage.map(({ chip, alarm }): Reading => ({
      metric: 'bowline.power.undervoltage',
      attributes: [chip],
      value: alarm,
      unit: '1',
    })),
  ];
}
