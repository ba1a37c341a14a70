import { expect, test } from 'vitest';
import type { Command } from '../command.ts';
import { Registrations } from './registrations.ts';

const LIMITS = { maxCommands: 2, returnMs: 100 };
const description = (name: string, more = '') => ({ name, description: name + more, idempotent: false });
const COMMAND = {} as Command;

function registered(...names: string[]): Registrations<string> {
  const registrations = new Registrations<string>(LIMITS);
  for (const name of names) registrations.register(description(name), COMMAND, 'first');
  return registrations;
}

test('when a name is held by another connection, or there are too many, it is refused; the same connection may renew it', () => {
  const registrations = registered('a', 'b');
  expect(() => registrations.check('a', 'second')).toThrow(/another program/);
  expect(() => registrations.check('c', 'first')).toThrow(/2 commands already/);
  registrations.check('a', 'first');
  registrations.register(description('a', ' anew'), COMMAND, 'first');
  expect(registrations.all().map((each) => each.description.description)).toEqual(['a anew', 'b']);
});

test('when its connection is gone, a command is away, may be taken by another, and is forgotten after its time', () => {
  const registrations = registered('a', 'b');
  registrations.register(description('b'), COMMAND, 'second');
  expect(registrations.gone('first', 1000)).toBe(1);
  expect([registrations.connectionOf('a'), registrations.connectionOf('b')]).toEqual([undefined, 'second']);
  expect(registrations.expire(1099)).toEqual([]);
  registrations.check('a', 'third');
  expect(registrations.expire(1100)).toEqual(['a']);
  expect([registrations.has('a'), registrations.has('b')]).toEqual([false, true]);
});

test('when a command was remembered from before, it is waited for as long as one that has just gone', () => {
  const registrations = registered();
  registrations.remember(description('a'), COMMAND, 500);
  expect(registrations.expire(599)).toEqual([]);
  expect(registrations.expire(600)).toEqual(['a']);
});

test('when a command is taken away by another than its own connection, it stays', () => {
  const registrations = registered('a');
  expect(registrations.unregister('a', 'second')).toBe(false);
  expect(registrations.unregister('a', 'first')).toBe(true);
});
