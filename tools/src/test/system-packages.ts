/**
 * The system packages that tests need and this machine lacks. As a program it prints their names on one line, which
 * `.ci/run` hands to apt-get.
 */
import { hasProgram } from '@bowline/testing/programs';
import packages from '@bowline/testing/system-packages.json' with { type: 'json' };

export function missingSystemPackages(): string[] {
  return Object.entries(packages)
    .filter(([, program]) => !hasProgram(program))
    .map(([name]) => name);
}

if (import.meta.main) console.log(missingSystemPackages().join(' '));
