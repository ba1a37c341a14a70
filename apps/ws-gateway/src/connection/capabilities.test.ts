import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';
import { Capabilities } from './capabilities.ts';

it('when the executor has told its idempotent commands, they are known after a restart, and newer ones replace them', () => {
  const file = join(temporaryFolder(), 'capabilities.json');
  new Capabilities(file).learn(['ping', 'again', 'ping']);
  expect(new Capabilities(file).all()).toEqual(['idempotent:again', 'idempotent:ping']);
  new Capabilities(file).learn(['ping']);
  expect(new Capabilities(file).all()).toEqual(['idempotent:ping']);
});

it('when the file cannot be written once, it is written when they are told again', () => {
  const file = join(temporaryFolder(), 'capabilities.json');
  const inTheWay = `${file}.${process.pid}.new`;
  mkdirSync(inTheWay);
  const capabilities = new Capabilities(file);
  expect(() => capabilities.learn(['ping'])).toThrow('EISDIR');
  expect(capabilities.all()).toEqual(['idempotent:ping']);
  rmdirSync(inTheWay);
  capabilities.learn(['ping']);
  expect(new Capabilities(file).all()).toEqual(['idempotent:ping']);
});

it('when the file is damaged, nothing is claimed', () => {
  const file = join(temporaryFolder(), 'capabilities.json');
  writeFileSync(file, '["ping"');
  expect(new Capabilities(file).all()).toEqual([]);
});
