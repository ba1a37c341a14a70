import { readFileSync } from 'node:fs';

/**
 * The kernel's random id of this boot: a UUID that changes with every boot and only then, which tells a reboot from a
 * restart of a process and says to what a monotonic reading belongs.
 */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
