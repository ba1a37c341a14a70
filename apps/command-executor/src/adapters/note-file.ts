import { join } from 'node:path';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import type { Notes } from '../core/run-step.ts';

interface KeptNote {
  orderId: string;
  note: unknown;
}

/** More commands than these, whose effect ends this process, cannot be under way: each of them does. */
const MOST = 16;

/** The newest notes of commands that confirm their effect, in one file. */
export function noteFile(folder: string): Notes {
  const file = join(folder, 'notes.json');
  const all = (): KeptNote[] => {
    try {
      const value = JSON.parse(readFileIfPresent(file) ?? '[]') as unknown;
      return Array.isArray(value) ? (value as KeptNote[]) : [];
    } catch {
      return []; // a disk that lost it: nobody knows, which is what the order will be told
    }
  };
  return {
    write: (orderId, note) => {
      const others = all().filter((each) => each.orderId !== orderId);
      try {
        writeFileDurably(file, JSON.stringify([...others.slice(1 - MOST), { orderId, note }]));
      } catch (error) {
        throw new TransientError(
          'note-unwritable',
          `what is to be confirmed cannot be recorded: ${String(error)}`,
          {
            cause: error,
          },
        );
      }
    },
    read: (orderId) => all().find((each) => each.orderId === orderId)?.note,
  };
}
