import type { ErrorObject } from 'ajv';
import {
  configFile,
  layerOf,
  mergeLayers,
  overrideFile,
  readLayers,
  type ConfigSources,
  type Layers,
} from './config-layers.ts';
import { findKey, sentenceOf, unknownKey, type ConfigFault, type ConfigSchema } from './config-schema.ts';
import { ConfigError } from './errors.ts';
import type { Tree } from './tree.ts';

/** Compiled from the app's schema (tools/src/build/compile-schemas.ts): fills in defaults, makes text what it should be, and has the schema with it. */
export interface ConfigValidator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
  schema: unknown;
}

export interface LoadedConfig<T> {
  config: Readonly<T>;
  /** The file that was read, to be watched; undefined if none was named. */
  file: string | undefined;
}

/**
 * Reads, merges, fills in defaults, validates and freezes: defaults < file < local override < environment < flags. For a
 * process that the cloud does not configure; the others have {@link LiveConfig}.
 *
 * @throws ConfigError `config-unreadable`, `config-invalid` (every field that is wrong).
 */
export function loadConfig<T>(validate: ConfigValidator, sources: ConfigSources): LoadedConfig<T> {
  const file = configFile(sources);
  return { config: validatedLayers<T>(validate, readLayers(sources), sources), file };
}

/** @throws ConfigError `config-invalid` */
export function validated<T>(validate: ConfigValidator, merged: Tree): Readonly<T> {
  const faults = faultsOf(validate, merged);
  if (faults.length > 0) throw new ConfigError('config-invalid', `configuration: ${sentenceOf(faults)}`);
  return freeze(merged) as Readonly<T>;
}

/** What the owner of the device laid down. @throws ConfigError `config-invalid`, which names the file of each fault. */
export function validatedLayers<T>(
  validate: ConfigValidator,
  layers: Layers,
  sources: ConfigSources,
): Readonly<T> {
  const merged = mergeLayers(layers);
  const faults = faultsOf(validate, merged);
  if (faults.length === 0) return freeze(merged) as Readonly<T>;
  const file = configFile(sources);
  const places = {
    file: file ?? 'configuration',
    cloud: 'configuration',
    local: file === undefined ? 'configuration' : overrideFile(file),
    environment: 'environment',
    flag: 'flags',
  };
  // What is missing is nowhere: it belongs into the file.
  const placeOf = ({ key }: ConfigFault) => places[layerOf(layers, key.split('.')) ?? 'file'];
  const byPlace = Map.groupBy(faults, placeOf);
  const sentences = [...byPlace].map(([place, each]) => `${place}: ${sentenceOf(each)}`);
  throw new ConfigError('config-invalid', sentences.join('; '));
}

/** Every field that is wrong; where none is, the defaults are filled in. */
export function faultsOf(validate: ConfigValidator, merged: Tree): ConfigFault[] {
  return validate(merged) ? [] : (validate.errors ?? []).map((error) => describe(error, validate.schema));
}

function describe(error: ErrorObject, schema: unknown): ConfigFault {
  const { instancePath, keyword, message = 'is not valid', params } = error;
  const path = instancePath
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const known = isSchema(schema) ? findKey(schema, path)?.schema : undefined;
  const { additionalProperty, allowedValues } = params as Record<string, unknown>;
  if (additionalProperty !== undefined) return unknownKey(known ?? {}, [...path, String(additionalProperty)]);
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
  // A pattern says little to people without the words beside it.
  const words = keyword === 'pattern' && known?.description ? ` (${known.description})` : '';
  return { key: path.join('.'), message: `${message}${allowed}${words}` };
}

const isSchema = (schema: unknown): schema is ConfigSchema => typeof schema === 'object' && schema !== null;

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
