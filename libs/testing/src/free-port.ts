import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterThisFile } from './clean-up.ts';

const LOWEST = 10_000;
/** From here on the kernel gives ports to whoever asks for any: to a test that listens on 0, to each outgoing connection. */
const firstGivenByKernel = () =>
  Number(/^\d+/.exec(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))?.[0]);

/**
 * A loopback port that nobody else gets before the last test of this file has run, though nothing listens on it. Only for
 * what cannot listen on port 0 and say what it got, such as a server that must come back on the same port.
 *
 * It is kept for us by a socket whose abstract name (unix(7)) says which port it is about: taken by one process at a time,
 * and gone with that process however it dies.
 */
export async function freePort(random: () => number = Math.random): Promise<number> {
  const ports = firstGivenByKernel() - LOWEST;
  for (;;) {
    const port = LOWEST + Math.floor(random() * ports);
    if (await claimPort(port)) return port;
  }
}

/** As {@link freePort}, for one that is wanted. @returns whether it was free. */
export async function claimPort(port: number): Promise<boolean> {
  const claim = await listen(`\0bowline-port-${port}`);
  if (claim === undefined) return false;
  const server = await listen({ port, host: '127.0.0.1' });
  if (server === undefined) {
    claim.close();
    return false;
  }
  server.close();
  await once(server, 'close');
  afterThisFile(() => void claim.close());
  return true;
}

/** Undefined where somebody else listens. */
async function listen(where: string | { port: number; host: string }) {
  const server = createServer().unref();
  try {
    await once(server.listen(where), 'listening');
    return server;
  } catch {
    return undefined;
  }
}
