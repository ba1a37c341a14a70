import { useEffect, useState } from 'preact/hooks';

export interface Polled<T> {
  /** Undefined until the first answer. */
  value: T | undefined;
  /** Why the latest look failed. */
  problem: string | undefined;
  /** Looks now. */
  look(): Promise<void>;
}

/**
 * What `ask` answers, asked again and again as long as the view is shown; a failure leaves the answer before it.
 *
 * @param everyMs milliseconds between two looks.
 * @param inputs asked anew at once when one of them changes.
 */
export function usePolled<T>(
  ask: () => Promise<T>,
  everyMs: number,
  inputs: readonly unknown[] = [],
): Polled<T> {
  const [value, setValue] = useState<T | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const look = async (isWanted: () => boolean = () => true): Promise<void> => {
    try {
      const answer = await ask();
      if (!isWanted()) return;
      setValue(() => answer);
      setProblem(undefined);
    } catch (error) {
      if (isWanted()) setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  useEffect(() => {
    let wanted = true;
    const again = () => void look(() => wanted);
    again();
    const timer = setInterval(again, everyMs);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, inputs);
  return { value, problem, look: () => look() };
}
