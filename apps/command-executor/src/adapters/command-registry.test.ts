import type { Logger } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { FakeClock } from '@bowline/testing';
import { expect, test } from 'vitest';
import { defineCommand, type Command } from '../core/command.ts';
import { CommandRegistry, type RegistryPorts } from './command-registry.ts';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const command = (name: string): Command =>
  defineCommand(
    { name, description: name, idempotent: true, params: {}, result: {}, run: () => null },
    () => true,
  );

test('when the gateway cannot hear that a command may run again, it is told at the next look, and then no more', async () => {
  let commands: Command[] = [];
  let away = false;
  const heard: unknown[] = [];
  const registry = new CommandRegistry({
    builtIn: [command('ping')],
    sources: [() => ({ commands, broken: [] })],
    loading: { isLoading: () => false, settled: () => Promise.resolve() },
    lookEveryMs: 1000,
  });
  const hub = {
    enqueue: () => Promise.resolve(),
    request: (_name: string, body: unknown) => {
      if (away) return Promise.reject(new TransientError('hub-away', 'not registered yet'));
      heard.push(body);
      return Promise.resolve({});
    },
  } as unknown as RegistryPorts['hub'];
  await registry.start({ hub, clock: new FakeClock(), log });
  expect(heard).toEqual([{ commands: ['ping'] }]);

  // It registers at this moment: what it carries left before this command came.
  away = true;
  commands = [command('fill')];
  await registry.refresh();
  away = false;
  await registry.refresh();
  await registry.refresh();
  expect(heard.slice(1)).toEqual([{ commands: ['ping', 'fill'] }]);

  // As it was when it last heard, but perhaps not as it registered in between.
  away = true;
  commands = [];
  await registry.refresh();
  commands = [command('fill')];
  await registry.refresh();
  away = false;
  await registry.refresh();
  expect(heard.slice(2)).toEqual([{ commands: ['ping', 'fill'] }]);
});
