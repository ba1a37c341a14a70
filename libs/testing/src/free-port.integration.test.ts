import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { cleanUp } from './clean-up.ts';
import { claimPort, freePort } from './free-port.ts';

test('when a port is asked for, a server can listen on it', async () => {
  const port = await freePort();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(server.address()).toMatchObject({ port });
  server.close();
});

test('when a port is asked for, it is none that the kernel gives to whoever asks for any', async () => {
  const [first = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/).map(Number);
  expect(await freePort()).toBeLessThan(first);
});

test('when others draw the same numbers, each gets a port of its own until the file is done', async () => {
  const numbers = Array.from({ length: 9 }, Math.random);
  const drawn = () => {
    const left = numbers.values();
    return () => left.next().value ?? Math.random();
  };
  const mine = await freePort(drawn());
  const theirs = await freePort(drawn());
  expect(theirs).not.toBe(mine);
  await cleanUp();
  expect(await freePort(drawn())).toBe(mine);
});

test('when one port is wanted, it is free unless somebody listens there or has it already', async () => {
  const port = await freePort();
  expect(await claimPort(port)).toBe(false);
  await cleanUp();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(await claimPort(port)).toBe(false);
  server.close();
  await once(server, 'close');
  expect(await claimPort(port)).toBe(true);
});
