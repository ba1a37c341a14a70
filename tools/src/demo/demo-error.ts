/** Something that the person at the terminal can mend: one sentence, and what to do. Shown without a stack. */
export class DemoError extends Error {
  readonly advice: string;

  constructor(sentence: string, advice: string, cause?: unknown) {
    super(sentence, cause === undefined ? undefined : { cause });
    this.name = 'DemoError';
    this.advice = advice;
  }
}
