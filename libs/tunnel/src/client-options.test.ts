import { Agent } from 'node:http';
import { describe, expect, test } from 'vitest';
import { tunnelClientOptions } from './client-options.ts';

describe('the mask of frames', () => {
  const mask = (url: string, agent?: Agent): Buffer | undefined => {
    const { generateMask } = tunnelClientOptions(url, agent);
    const filled = Buffer.from([1, 2, 3, 4]);
    generateMask?.(filled);
    return generateMask === undefined ? undefined : filled;
  };

  test.each([
    'wss://relay.example/v1/tunnels/a/device',
    'ws://127.0.0.1:8080/x',
    'ws://[::1]/x',
    'ws://localhost/x',
  ])('when no proxy can look into %s, it is 0', (url) => expect(mask(url)).toEqual(Buffer.alloc(4)));

  test.each(['ws://relay.example/x', 'ws://127.0.0.1.example/x', 'ws://10.0.0.1/x'])(
    'when a proxy could look into %s, it is left to chance',
    (url) => expect(mask(url)).toBeUndefined(),
  );

  test('when there is a proxy, it can look into what goes to this very machine', () => {
    const agent = new Agent();
    expect(mask('ws://127.0.0.1:8080/x', agent)).toBeUndefined();
    expect(mask('wss://127.0.0.1/x', agent)).toEqual(Buffer.alloc(4));
  });
});
