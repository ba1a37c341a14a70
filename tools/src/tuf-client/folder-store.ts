import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@bowline/runtime';
import type { TrustedStore } from '@bowline/releases/metadata';

/** There is one root that everything began with: the one that `init` was given. */
export const ANCHOR = 'init';

const fileOf = (folder: string, role: string) => join(folder, `${encodeURIComponent(role)}.json`);

export function writeRole(folder: string, role: string, text: string): void {
  writeFileDurably(fileOf(folder, role), text, 0o644);
}

/** A file a role, as other TUF clients have it. What does not parse counts as absent; then it is fetched again. */
export function folderStore(folder: string): TrustedStore {
  return {
    load() {
      const roles: Record<string, string> = {};
      for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
        const text = readFileSync(join(folder, name), 'utf8');
        if (isJson(text)) roles[decodeURIComponent(name.slice(0, -'.json'.length))] = text;
      }
      return { trusted: { anchor: ANCHOR, roles, atMs: 0 }, floor: undefined };
    },
    save({ roles }) {
      const before = this.load().trusted?.roles ?? {};
      for (const [role, text] of Object.entries(roles))
        if (before[role] !== text) writeRole(folder, role, text);
      for (const role of Object.keys(before)) if (!Object.hasOwn(roles, role)) rmSync(fileOf(folder, role));
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
