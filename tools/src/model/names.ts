/**
 * The project's code wants UUIDs, a counterexample wants names that a person can follow: `e1`, `o1`, `D2`. Each name has
 * one UUID for as long as this process lives, made from its number, so that equal states stay equal.
 */
const uuids = new Map<string, string>();
const names = new Map<string, string>();

export function uuidOf(name: string): string {
  let uuid = uuids.get(name);
  if (uuid === undefined) {
    uuid = `00000000-0000-7000-8000-${(uuids.size + 1).toString(16).padStart(12, '0')}`;
    uuids.set(name, uuid);
    names.set(uuid, name);
  }
  return uuid;
}

export function nameOf(uuid: string): string {
  const name = names.get(uuid);
  if (name === undefined) throw new RangeError(`${uuid} has no name in the model`);
  return name;
}
