import { join } from 'node:path';
import type { Sensor } from '../core/readings.ts';
import { list, read } from './sys-files.ts';

/**
 * Every temperature that the kernel shows: thermal zones, and the chips of hwmon (Documentation/hwmon/sysfs-interface). The
 * kernel shows each thermal zone as a chip once more; that copy is left out.
 */
export async function readSensors(sysDir: string): Promise<Sensor[]> {
  const zones = await readZones(join(sysDir, 'class/thermal'));
  const zoneTypes = new Set(zones.map(({ id }) => id.replaceAll('-', '_')));
  const chips = await readChips(join(sysDir, 'class/hwmon'));
  return [...zones, ...chips.filter(({ chip }) => !zoneTypes.has(chip)).map(({ sensor }) => sensor)];
}

async function readZones(folder: string): Promise<Sensor[]> {
  const zones = (await list(folder)).filter((name) => /^thermal_zone\d+$/.test(name));
  const sensors = await Promise.all(
    zones.map(async (zone): Promise<Sensor | undefined> => {
      const [id, temp] = await Promise.all([read(folder, zone, 'type'), read(folder, zone, 'temp')]);
      return sensor(id ?? zone, zone.slice('thermal_zone'.length), temp);
    }),
  );
  return sensors.filter((each) => each !== undefined);
}

async function readChips(folder: string): Promise<{ chip: string; sensor: Sensor }[]> {
  const chips = await Promise.all(
    (await list(folder)).map(async (entry) => {
      const chip = (await read(folder, entry, 'name')) ?? entry;
      const inputs = (await list(join(folder, entry))).filter((name) => /^temp\d+_input$/.test(name));
      return Promise.all(
        inputs.map(async (input) => {
          const channel = input.slice(0, -'_input'.length);
          const label = (await read(folder, entry, `${channel}_label`)) ?? channel;
          const index = entry.replace(/^hwmon/, '');
          return { chip, sensor: sensor(`${chip}:${label}`, index, await read(folder, entry, input)) };
        }),
      );
    }),
  );
  return chips.flat().flatMap(({ chip, sensor }) => (sensor === undefined ? [] : [{ chip, sensor }]));
}

function sensor(id: string, index: string, text: string | undefined): Sensor | undefined {
  const milliCelsius = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(milliCelsius) ? { id, index, milliCelsius } : undefined;
}
