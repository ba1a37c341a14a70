import { describe, expect, test } from 'vitest';
import { distance, suggest } from './suggest.ts';

describe('suggest', () => {
  const apps = ['ws-gateway', 'command-executor', 'ssh-broker'];

  test('when a name is nearly right, it is suggested', () => {
    expect(suggest('ws-gatway', apps)).toBe('ws-gateway');
    expect(suggest('sshbroker', apps)).toBe('ssh-broker');
    expect(suggest('executor', apps)).toBe('command-executor');
  });

  test('when a name is like none, nothing is suggested', () => {
    expect(suggest('postgres', apps)).toBeUndefined();
    expect(suggest('x', [])).toBeUndefined();
  });

  test('when neighbours are swapped, that is one difference', () => {
    expect(distance('demo', 'dmeo')).toBe(1);
    expect(distance('demo', 'demo')).toBe(0);
    expect(distance('', 'abc')).toBe(3);
  });
});
