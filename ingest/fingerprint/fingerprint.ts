import { hash } from "node:crypto";
import { culpritOf, type Frame, parseStack, type StackError } from "../../schema/stack/index.ts";
import { maskMessage, maskName } from "./mask.ts";

/** Calls of one error that count. */
const FRAMES = 5;

/** Which issue an error belongs to, and the call it is best known by. */
export interface Fingerprint {
	readonly high: number;
	readonly low: number;
	/** `function (module)`, or empty. */
	readonly culprit: string;
}

/**
 * The fingerprint of an error, version 2 of the rules: its type and the top calls of the program's own, of each error of its chain of
 * causes, since the same failure below two different ones is two issues, and so are two failures below the same (Sentry groups in
 * this way). An error of the chain without such calls counts by its type alone; where the whole chain has none, by the calls there
 * are. One without any call counts by its type and its message. Numbers, ids, hashes, lines, columns and folders are masked, and a
 * call that repeats itself counts once.
 */
export function fingerprint(type: string, message: string, stack: string): Fingerprint {
	if (stack === "" || stack.length > MEMO_CHARACTERS) return compute(type, message, parseStack(stack));
	const key = `${type}\n${stack}`;
	const known = memo.get(key);
	if (known) return known;
	const errors = parseStack(stack);
	const found = compute(type, message, errors);
	// One without a call of its own is known by its message too.
	if ((errors[0]?.frames.length ?? 0) > 0) remember(key, found);
	return found;
}

/** What fails, fails again and again, with the same trace: parsing takes 40 µs, looking it up 1. */
const memo = new Map<string, Fingerprint>();
const MEMO_ENTRIES = 1_000;
const MEMO_CHARACTERS = 8_192;

function remember(key: string, value: Fingerprint): void {
	memo.set(key, value);
	if (memo.size <= MEMO_ENTRIES) return;
	for (const oldest of memo.keys()) {
		memo.delete(oldest);
		break;
	}
}

function compute(type: string, message: string, errors: readonly StackError[]): Fingerprint {
	const digest = hash("sha256", componentsOf(type, message, errors).join("\n"), "buffer");
	return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4), culprit: culpritOf(errors) };
}

function componentsOf(type: string, message: string, [first, ...causes]: readonly StackError[]): string[] {
	if (first === undefined) return [type, maskMessage(message)];
	const all = [first, ...causes];
	const own = all.some(({ frames }) => frames.some(({ inApp }) => inApp));
	const chosen = (frames: readonly Frame[]) => topOf(own ? frames.filter(({ inApp }) => inApp) : frames);
	const outer = first.frames.length === 0 ? [maskMessage(message)] : chosen(first.frames);
	return [
		type,
		...outer,
		...causes.flatMap((cause) => {
			const text = cause.frames.length === 0 ? [maskMessage(cause.message)] : chosen(cause.frames);
			return [`caused by ${maskName(cause.type)}`, ...text];
		}),
	];
}

function topOf(frames: readonly Frame[]): string[] {
	const top: string[] = [];
	for (const frame of frames) {
		const call = `${maskName(frame.module)} ${maskName(frame.function)}`;
		if (call !== top.at(-1)) top.push(call);
		if (top.length === FRAMES) break;
	}
	return top;
}
