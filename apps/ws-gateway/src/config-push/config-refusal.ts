import { CONFIGURED_APPS, type ConfiguredApp } from '@bowline/messages/hub/apps';
import { RejectedError } from '@bowline/runtime/errors';
import { suggest } from '@bowline/runtime/suggest';
import type { ConfigError } from './config-step.ts';

/** A final no of one or more apps. */
export class Refusal extends RejectedError {
  readonly errors: ConfigError[];

  constructor(errors: ConfigError[]) {
    super('config-refused', sentenceOf(errors));
    this.errors = errors;
  }
}

const toSentence = ({ app, key, message }: ConfigError): string =>
  key === '' ? `${app}: ${message}` : `${app}: "${key}" ${message}`;

/** What a report to the cloud holds: together well below the smallest frame. */
export const MOST_ERRORS = 32;
const MOST_CHARS = 256;
export const cut = ({ app, key, message }: ConfigError): ConfigError => ({
  app,
  key: key.slice(0, MOST_CHARS),
  message: message.slice(0, MOST_CHARS),
});
/** As an error of an order. */
export const sentenceOf = (errors: readonly ConfigError[]): string =>
  errors.slice(0, MOST_ERRORS).map(cut).map(toSentence).join('; ').slice(0, 4096);

export const isConfigured = (app: string): app is ConfiguredApp =>
  (CONFIGURED_APPS as readonly string[]).includes(app);

export function unknownApp(app: string): ConfigError {
  const meant = suggest(app, CONFIGURED_APPS);
  const message = `there is no such app${meant === undefined ? '' : `: did you mean ${meant}?`}`;
  return { app: 'ws-gateway', key: app, message };
}

export function versionError(held: number, version: number, verdict: 'stale' | 'conflict'): ConfigError {
  const message =
    verdict === 'stale'
      ? `version ${version} is older than ${held}, which is in force`
      : `version ${version} is in force with another content: give the document a higher version`;
  return { app: 'ws-gateway', key: '', message };
}
