import { RejectedError } from '@bowline/runtime/errors';
import type { Target } from './targets.ts';

const corpus = [{ type: 'ping', values: [1, 2, 3] }];
const kept: Buffer[] = [];
const inherited: object = Object.prototype;

/** Decoders with one fault each. A campaign that does not catch every one of them proves nothing. */
export const CONTROLS: Readonly<Record<Finding, Target>> = {
  crash: {
    name: 'control: throws a TypeError',
    corpus,
    take: (text) => {
      if (text.includes('null')) throw new TypeError('cannot read properties of null');
    },
  },
  code: {
    name: 'control: makes up a code',
    corpus,
    take: (text) => {
      if (text.startsWith('[')) throw new RejectedError('made-up-by-a-control', 'not listed');
    },
  },
  pollution: {
    name: 'control: writes to Object.prototype',
    corpus,
    take: (text) => {
      if (text.includes('__proto__')) Object.defineProperty(inherited, 'polluted', { configurable: true });
    },
  },
  growth: {
    name: 'control: keeps all that it was given',
    corpus,
    take: (text) => void kept.push(Buffer.alloc(20_000, `${text}.`)),
  },
  hang: {
    name: 'control: never comes back',
    corpus,
    take: (text) => {
      while (text.includes('constructor'));
    },
  },
};

/** What a campaign looks for. `code`: an error code that docs/errors.md does not list. */
export type Finding = 'crash' | 'code' | 'pollution' | 'growth' | 'hang';
