/** Markup, as opposed to text. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Puts values into markup: text as text, whatever stands in it; markup as it is; `undefined` and `false` as nothing. */
export function html(
  parts: TemplateStringsArray,
  ...values: (string | number | Html | readonly Html[] | undefined | false)[]
): Html {
  return new Html(parts.map((part, index) => part + markup(values[index])).join(''));
}

function markup(value: string | number | Html | readonly Html[] | undefined | false): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(({ text }) => text).join('');
  return String(value).replaceAll(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '');
}
