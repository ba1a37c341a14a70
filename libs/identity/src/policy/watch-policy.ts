import { reportEvent, type EventPorts } from '../report-event.ts';
import { PolicyFile } from './policy-file.ts';
import type { HeldPolicy } from './policy.ts';

/**
 * The device's policy for an app that has effects: read anew whenever it is asked for. A file that cannot be used is told to
 * log and operators, once for each fault: somebody believes that it is in force.
 */
export async function watchPolicy(file: string, ports: EventPorts): Promise<() => Promise<HeldPolicy>> {
  const policies = new PolicyFile(file);
  let told: string | undefined;
  const read = async () => {
    const held = await policies.current();
    if (held.fault !== undefined && held.fault !== told)
      reportEvent(ports, 'policy-broken', 'error', { fault: held.fault, inForce: held.source });
    told = held.fault;
    return held;
  };
  const { source, policy } = await read();
  ports.log.info({ source, policy }, 'policy of this device');
  return read;
}
