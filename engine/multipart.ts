/** Reads `multipart/form-data` fields: the form in which a client sends parameters too long for a URL. Pure. */
import { engineError } from "./errors.ts";

function malformed(what: string): Error {
	return engineError(36, "BAD_ARGUMENTS", `Malformed multipart body: ${what}`);
}

/** @throws EngineError 36 for a malformed body, 48 for files (external tables). */
export function readMultipart(body: Buffer, contentType: string): [name: string, value: string][] {
	const match = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
	const boundary = match?.[1] ?? match?.[2];
	if (boundary === undefined) throw malformed("no boundary");
	const delimiter = Buffer.from(`--${boundary}`);
	const fields: [string, string][] = [];
	let at = body.indexOf(delimiter);
	for (;;) {
		if (at === -1) throw malformed("no closing boundary");
		at += delimiter.length;
		if (body.toString("latin1", at, at + 2) === "--") return fields;
		const headEnd = body.indexOf("\r\n\r\n", at);
		const next = body.indexOf(`\r\n--${boundary}`, Math.max(at, headEnd));
		if (headEnd === -1 || next === -1) throw malformed("no closing boundary");
		const head = body.toString("utf8", at, headEnd);
		const name = /content-disposition:[^\r\n]*[;\s]name="([^"]*)"/i.exec(head)?.[1];
		if (name === undefined) throw malformed("a part without a name");
		if (/[;\s]filename=/i.test(head)) {
			throw engineError(48, "NOT_IMPLEMENTED", "External tables are not supported by the embedded engine");
		}
		fields.push([name, body.toString("utf8", headEnd + 4, next)]);
		at = next + 2;
	}
}
