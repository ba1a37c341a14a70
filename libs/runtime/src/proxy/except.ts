import { BlockList, isIP } from 'node:net';

/**
 * Whether a host is one of those that are reached without a proxy. An entry is a name, which stands for itself and for all names
 * below it (as with curl; `.NAME` and `*.NAME` say the same), an address, or a network as `10.0.0.0/8`. A name is not looked up:
 * the network of its address does not count.
 *
 * @param hostname as in a URL: an IPv6 address has its brackets.
 * @throws RangeError for a network with too many bits.
 */
export function isExcepted(hostname: string, except: readonly string[]): boolean {
  const host = bare(hostname).toLowerCase().replace(/\.$/, '');
  return except.some((entry) => {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    if (family === 0) return isBelow(host, address.toLowerCase().replace(/^\*?\./, ''));
    if (isIP(host) !== family) return false;
    const network = new BlockList();
    const type = family === 4 ? 'ipv4' : 'ipv6';
    network.addSubnet(address, bits === undefined ? (family === 4 ? 32 : 128) : Number(bits), type);
    return network.check(host, type);
  });
}

const isBelow = (host: string, name: string): boolean => host === name || host.endsWith(`.${name}`);

/** An IPv6 address without its brackets. */
export const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');
