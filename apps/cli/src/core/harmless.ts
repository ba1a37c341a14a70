/** Colours, as we write them ourselves. */
const COLOUR = String.raw`\u001b\[[\d;]*m`;
/** What moves the cursor, sets the title, or answers as if it had been typed: all control characters but the line's end and tab. */
const CONTROL = new RegExp(String.raw`(${COLOUR})|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]`, 'g');

/**
 * A text for a terminal. Names, reasons and errors come from other operators, devices and servers, any of which may be captured:
 * whatever they are, they are read and not obeyed.
 */
export const harmless = (text: string): string =>
  text.replaceAll(CONTROL, (_, colour: string | undefined) => colour ?? '\uFFFD');
