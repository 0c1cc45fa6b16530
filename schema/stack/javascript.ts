/** V8 (Node, Chrome, Deno), JavaScriptCore (Safari, Bun) and SpiderMonkey (Firefox). */
import { isBundled, moduleOf } from "./place.ts";
import type { Frame } from "./types.ts";

const LIBRARY =
	/node_modules[\\/]|bower_components[\\/]|[\\/]\.(?:pnpm|yarn|vite)[\\/]|^(?:node|deno|ext|bun):|^internal[\\/]|^(?:events|net|timers|module|fs|dns|stream|util|_\w+|bootstrap_node)\.js$|^native(?:$|:| code)|\[native code\]|<anonymous>|^index \d|^(?:chrome|moz|safari(?:-web)?)-extension:|webpack[\\/](?:bootstrap|runtime)|(?:^|[\\/])(?:vendors?|polyfills?)[~.\-_][^\\/]*$/;
/** `:12:34` or `:12` at the end. */
const POSITION = /(?::\d{1,10}){1,2}$/;
const GECKO_LOCATION = /^(?:[a-z][\w+.-]{0,30}:|\/|\[native code\]|[\w.-]{1,100}\.m?[jt]sx?:)/i;

/** `at f (file:1:2)` and `at file:1:2`, without "at "; undefined when it is not of V8. */
export function v8Frame(call: string): Frame | undefined {
	const open = call.indexOf("(");
	if (open > 0 && call[open - 1] === " " && call.endsWith(")")) {
		const location = call.slice(open + 1, -1).replace(/^address at /, "");
		return POSITION.test(location) || LIBRARY.test(location) ? frame(call.slice(0, open - 1), location) : undefined;
	}
	const location = call.replace(/^async /, "");
	return POSITION.test(location) && !/[\s(]$/.test(location.replace(POSITION, "")) ? frame("", location) : undefined;
}

/** `f@file:1:2`; undefined when it is not of Firefox or Safari. */
export function geckoFrame(line: string): Frame | undefined {
	const at = line.indexOf("@");
	if (at === -1) return undefined;
	const location = line.slice(at + 1);
	const isNative = location === "[native code]";
	if (!isNative && !(GECKO_LOCATION.test(location) && POSITION.test(location))) return undefined;
	return frame(line.slice(0, at).replace(/^\s*async\*/, ""), location);
}

function frame(name: string, place: string): Frame {
	const location = place.replace(POSITION, "");
	// A name that a minifier chose is another one in the next build.
	const called = functionOf(name);
	const isMinified = called.length <= 2 && isBundled(location);
	return { module: moduleOf(location), function: isMinified ? "" : called, inApp: !LIBRARY.test(location) };
}

/** The last part of the name alone: what comes before it is the class of the object at hand, and differs by engine. */
function functionOf(name: string): string {
	const plain = name
		.trim()
		.replace(/^(?:async |new |get |set |global code$|module code$|eval code$)+/, "")
		.replace(/ \[as [^\]]{0,200}\]$/, "")
		// Firefox: f/g/< is an anonymous one in g in f.
		.replace(/(?:\/<|<)+$/, "");
	const last = plain.slice(Math.max(plain.lastIndexOf("."), plain.lastIndexOf("/"), plain.lastIndexOf("#")) + 1);
	return /^(?:<?anonymous>?|\?|\{anonymous\}|Anonymous function)?$/.test(last) ? "" : last;
}
