import { awaitsMoment, hasNotBegun, isBeforeSwitch, type UpdateState } from './update-state.ts';

/** Another may be fetched, laid out and tried meanwhile. */
export const letsOthersPass = (state: UpdateState): boolean => hasNotBegun(state) || awaitsMoment(state);

/**
 * Which updates may have their turn: the one under way alone; else all but those behind one of the same program that waits for
 * its moment, since it would put its release in the place of theirs. A preview changes nothing, and goes before all that has
 * not switched: while something waits, somebody wants to know what would come.
 *
 * @param open those that are not over, oldest first.
 */
export function inLine(open: readonly UpdateState[]): readonly UpdateState[] {
  const underWay = open.find((state) => !letsOthersPass(state));
  if (underWay !== undefined && !isBeforeSwitch(underWay)) return [underWay];
  const isPreview = ({ order }: UpdateState) => order.preview === true;
  const previews = open.filter(isPreview);
  if (underWay !== undefined) return [...previews, underWay];
  const others = open.filter(
    (state, index) =>
      !isPreview(state) &&
      !open
        .slice(0, index)
        .some((earlier) => awaitsMoment(earlier) && earlier.order.name === state.order.name),
  );
  return [...previews, ...others];
}
