import { isObject } from "../parse/text.ts";

/**
 * The text of a message: itself, or that of its parts, which may have come as JSON text:
 * `[{"type": "text", "text": "…"}]`, `[{"role": "assistant", "content": "…"}]`. Undefined when there is none.
 */
export function messageText(content: unknown): string | undefined {
	if (typeof content === "string") return content.startsWith("[") ? (partsText(parsed(content)) ?? content) : content;
	return partsText(content);
}

function partsText(parts: unknown): string | undefined {
	if (!Array.isArray(parts)) return undefined;
	const texts = parts.flatMap((part: unknown) => {
		const text = isObject(part) ? (part.text ?? part.content) : part;
		return typeof text === "string" ? [text] : [];
	});
	return texts.length > 0 ? texts.join("\n") : undefined;
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
