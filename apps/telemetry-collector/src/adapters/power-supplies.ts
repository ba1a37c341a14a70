import { join } from 'node:path';
import {
  supplyReadings,
  throttlingReadings,
  type PowerSupply,
  type Throttling,
} from '../core/power-readings.ts';
import type { Reading } from '../core/sample.ts';
import { list, read, readNumber } from './sys-files.ts';

const MOST_OF_A_KIND = 32;
/** Where the firmware of a Raspberry Pi tells, as a hexadecimal number. */
const FIRMWARE = 'devices/platform/soc/soc:firmware/get_throttled';

/** Batteries and supplies, clock rates and what holds them back; nothing on a machine that has none of it. */
export async function readPower(sysDir: string): Promise<Reading[]> {
  const [supplies, throttling] = await Promise.all([
    readSupplies(join(sysDir, 'class/power_supply')),
    readThrottling(sysDir),
  ]);
  return [...supplyReadings(supplies), ...throttlingReadings(throttling)];
}

async function readSupplies(folder: string): Promise<PowerSupply[]> {
  const names = (await list(folder)).slice(0, MOST_OF_A_KIND);
  return Promise.all(
    names.map(async (name): Promise<PowerSupply> => {
      const [capacity, online, microvolts, microwatts, status] = await Promise.all([
        readNumber(folder, name, 'capacity'),
        readNumber(folder, name, 'online'),
        readNumber(folder, name, 'voltage_now'),
        readNumber(folder, name, 'power_now'),
        read(folder, name, 'status'),
      ]);
      return { name, capacity, online, microvolts, microwatts, status };
    }),
  );
}

async function readThrottling(sysDir: string): Promise<Throttling> {
  const cpus = join(sysDir, 'devices/system/cpu');
  const [clocks, throttles, firmware, undervoltage] = await Promise.all([
    readClocks(join(cpus, 'cpufreq')),
    readThrottles(cpus),
    read(sysDir, FIRMWARE),
    readAlarms(join(sysDir, 'class/hwmon')),
  ]);
  const bits = Number.parseInt(firmware ?? '', 16);
  return { clocks, throttles, firmwareBits: Number.isNaN(bits) ? undefined : bits, undervoltage };
}

async function readClocks(folder: string): Promise<Throttling['clocks']> {
  const policies = (await list(folder)).filter((name) => /^policy\d+$/.test(name)).slice(0, MOST_OF_A_KIND);
  const clocks = await Promise.all(
    policies.map(async (name) => ({
      policy: name.slice('policy'.length),
      kilohertz: await readNumber(folder, name, 'scaling_cur_freq'),
    })),
  );
  return clocks.flatMap(({ policy, kilohertz }) => (kilohertz === undefined ? [] : [{ policy, kilohertz }]));
}

async function readThrottles(folder: string): Promise<number | undefined> {
  const cpus = (await list(folder)).filter((name) => /^cpu\d+$/.test(name));
  const counts = await Promise.all(
    cpus.map((cpu) => readNumber(folder, cpu, 'thermal_throttle/core_throttle_count')),
  );
  const known = counts.filter((count) => count !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
}

async function readAlarms(folder: string): Promise<Throttling['undervoltage']> {
  const chips = await Promise.all(
    (await list(folder)).slice(0, MOST_OF_A_KIND).map(async (entry) => ({
      chip: (await read(folder, entry, 'name')) ?? entry,
      alarm: await readNumber(folder, entry, 'in0_lcrit_alarm'),
    })),
  );
  return chips.flatMap(({ chip, alarm }) => (alarm === undefined ? [] : [{ chip, alarm }]));
}
