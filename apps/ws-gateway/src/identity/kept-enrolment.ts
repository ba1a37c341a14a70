import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '@bowline/messages';
import { ConfigError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { enrolment as isEnrolment } from '../generated/enrolment.js';
import type { Enrolment } from './enrolment-schema.ts';

const fileIn = (stateDir: string) => join(stateDir, 'enrolment.json');

/** @throws ConfigError `bad-enrolment` if the file is damaged: the device enrols anew. */
export function loadEnrolment(stateDir: string): Enrolment | undefined {
  const file = fileIn(stateDir);
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return check<Enrolment>(isEnrolment, JSON.parse(text), 'enrolment');
  } catch (error) {
    throw new ConfigError('bad-enrolment', `${file} is damaged: enrol the device anew (bowline enroll)`, {
      cause: error,
    });
  }
}

export function saveEnrolment(stateDir: string, enrolment: Enrolment): void {
  writeFileDurably(fileIn(stateDir), `${JSON.stringify(enrolment, null, 2)}\n`);
}

export const forgetEnrolment = (stateDir: string): void => rmSync(fileIn(stateDir), { force: true });
