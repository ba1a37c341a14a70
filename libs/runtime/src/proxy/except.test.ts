import { describe, expect, test } from 'vitest';
import { isExcepted } from './except.ts';
import { LOOPBACK, proxyFor, readProxy } from './proxy-settings.ts';

describe('what is reached without the proxy', () => {
  test.each([
    ['mirror.local', ['mirror.local']],
    ['MIRROR.Local.', ['mirror.LOCAL']],
    ['a.mirror.local', ['mirror.local']],
    ['a.mirror.local', ['.mirror.local']],
    ['a.mirror.local', ['*.mirror.local']],
    ['192.168.7.9', ['fd00::/8', '192.168.0.0/16']],
    ['192.168.7.9', ['192.168.7.9']],
    ['[fd00::7]', ['fd00::/8']],
    ['localhost', LOOPBACK],
    ['127.4.5.6', LOOPBACK],
    ['[::1]', LOOPBACK],
  ])('when the host is %s and the list says %s, it is', (host, except) =>
    expect(isExcepted(host, except)).toBe(true),
  );

  test.each([
    ['notmirror.local', ['mirror.local']],
    ['mirror.local.example', ['mirror.local']],
    ['192.169.0.1', ['192.168.0.0/16']],
    ['192.168.7.9.example', ['192.168.7.9']],
    ['fleet.example', LOOPBACK],
    ['127.0.0.1', []],
  ])('when the host is %s and the list says %s, it is not', (host, except) => {
    expect(isExcepted(host, except)).toBe(false);
  });
});

describe('the settings of a proxy', () => {
  const proxy = 'http://proxy.local:3128';

  test('when there is none, the way is direct; else its target decides', () => {
    expect(readProxy({ noProxy: [] }, 'link.')).toBeUndefined();
    const read = readProxy({ proxy, noProxy: ['lan'] }, 'link.');
    expect(proxyFor(read, new URL('https://mirror.lan/x'))).toBeUndefined();
    expect(proxyFor(read, new URL('wss://fleet.example/x'))?.url.href).toBe(`${proxy}/`);
  });

  test.each(['10.0.0.0/33', 'fd00::/129'])('when noProxy has %s, the message says what to write', (entry) => {
    expect(() => readProxy({ proxy, noProxy: [entry] }, 'link.')).toThrow(
      `link.noProxy: ${entry} is no network`,
    );
  });

  test('when the file of its authority cannot be used, it is named', () => {
    const proxyCaFile = '/nowhere';
    expect(() => readProxy({ proxy, proxyCaFile, noProxy: [] }, 'supply.')).toThrow(
      'supply.proxyCaFile: /nowhere cannot be read',
    );
  });
});
