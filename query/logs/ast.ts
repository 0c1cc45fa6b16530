/** The query language of logs as a tree, and back to text. */

/** A piece of a pattern: literal text, `*` (any characters) or `?` (one). */
export type PatternPart = { readonly literal: string } | "*" | "?";

export type Value =
	/** A bare word: in the message it is a whole word, elsewhere the whole value. */
	| { readonly type: "word"; readonly text: string }
	/** Quoted: in the message it stands anywhere, elsewhere it is the whole value. */
	| { readonly type: "phrase"; readonly text: string }
	| { readonly type: "pattern"; readonly parts: readonly PatternPart[] }
	| {
			readonly type: "range";
			/** Absent: open on this side. */
			readonly min?: string;
			readonly max?: string;
			readonly minIncluded: boolean;
			readonly maxIncluded: boolean;
	  };

export type Node =
	| { readonly type: "and" | "or"; readonly children: readonly Node[] }
	| { readonly type: "not"; readonly child: Node }
	| { readonly type: "match"; readonly field: string; readonly value: Value };

/** Members of a log that a query can name; those of the context come as `context.x`. */
export const FIELDS = ["level", "component", "message", "trace_id", "span_id"] as const;

/** Joins nodes without nesting equal operators, so that one meaning has one tree. */
export function join(type: "and" | "or", nodes: readonly Node[]): Node {
	const children = nodes.flatMap((node) => (node.type === type ? node.children : [node]));
	return children.length === 1 ? children[0]! : { type, children };
}

/** Query text that parses to the same tree. */
export function print(node: Node): string {
	switch (node.type) {
		case "and":
			return node.children.map((child) => (child.type === "or" ? `(${print(child)})` : print(child))).join(" AND ");
		case "or":
			return node.children.map(print).join(" OR ");
		case "not":
			return node.child.type === "match" || node.child.type === "not"
				? `NOT ${print(node.child)}`
				: `NOT (${print(node.child)})`;
		case "match":
			return `${node.field}:${printValue(node.value)}`;
	}
}

function printValue(value: Value): string {
	switch (value.type) {
		case "word":
			return escapeWord(value.text);
		case "phrase":
			return quote(value.text);
		case "pattern":
			return value.parts.map((part) => (typeof part === "string" ? part : escapeWord(part.literal))).join("");
		case "range": {
			const bound = (text: string | undefined) => (text === undefined ? "*" : quote(text));
			return `${value.minIncluded ? "[" : "{"}${bound(value.min)} TO ${bound(value.max)}${value.maxIncluded ? "]" : "}"}`;
		}
	}
}

function quote(text: string): string {
	return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** Everything that could mean something is escaped, so that a word stays one whatever stands in it. */
function escapeWord(text: string): string {
	return text.replace(/[\s\\()[\]{}":*?<>=!&|]/g, "\\$&").replace(/^(AND|OR|NOT|TO)$/, "\\$&");
}
