/** HTML that cannot be put together without escaping: texts become markup by `html` only. */

/** Markup that is safe to send as it is. */
export class Markup {
	readonly text: string;
	constructor(text: string) {
		this.text = text;
	}
}

type Part = Markup | string | number | undefined | readonly Part[];

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A template whose values are escaped, unless they are markup already; lists are joined, and what is absent is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Markup {
	let text = strings[0]!;
	for (const [at, value] of values.entries()) text += toText(value) + strings[at + 1]!;
	return new Markup(text);
}

function toText(part: Part): string {
	if (part === undefined) return "";
	if (part instanceof Markup) return part.text;
	if (typeof part === "object") return part.map(toText).join("");
	return String(part).replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
