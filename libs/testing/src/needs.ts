import packages from '../system-packages.json' with { type: 'json' };
import { hasProgram } from './programs.ts';

/** Debian packages that tests may need, each with a program or a file that it brings (system-packages.json). */
export type SystemPackage = keyof typeof packages;

/**
 * Whether a system package that a test needs is there: `test.runIf(needs('git'))('when …', …)`. `npm test` names the
 * tests that were skipped and the command that installs what is missing; where `CI` is set, a skip is a failure.
 */
export const needs = (name: SystemPackage): boolean => hasProgram(packages[name]);
