/** What a change makes of a synthetic test. Pure. */
import { badParameter } from "../../../http/errors.ts";
import { validated } from "../../../http/validate.ts";
import { sealTest } from "../../../schema/sealed-tests.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import { MASKED, majority, type SyntheticTest, settle, syntheticTestBody } from "../../../schema/wire/index.ts";

export interface Sealing {
	readonly box: SecretBox;
	readonly project: string;
}

/**
 * The stored test with these members in place of its own, checked as a new one is. What stays sealed is not opened for it.
 * @throws ApiError 400
 */
export function patched(
	before: SyntheticTest,
	patch: Readonly<Record<string, unknown>>,
	sealing: Sealing,
): SyntheticTest {
	if (patch.type !== undefined && patch.type !== before.type) {
		const reason = "a test of another type is another test: delete this one";
		throw badParameter({ parameter: "type", provided: patch.type, valid_options: [before.type], reason });
	}
	if (before.type === "heartbeat") {
		const { token_hash, ...rest } = before;
		const merged = settle(validated(syntheticTestBody, { ...timeless(rest, patch), ...patch }), "");
		return { ...merged, token_hash } as SyntheticTest;
	}
	const usual = patch.locations !== undefined && before.quorum === majority(before.locations);
	const { headers: _, body: __, ...open } = { headers: {}, body: undefined, ...timeless(before, patch) };
	const { quorum, ...unsettled } = open as typeof open & { quorum: number };
	const given = before.type === "http" ? secretsOf(before, patch) : { fresh: {}, kept: {} };
	const input = { ...unsettled, ...(usual ? {} : { quorum }), ...patch, ...given.fresh };
	const test = settle(validated(syntheticTestBody, dropped(input, given.kept)), "") as Exclude<
		SyntheticTest,
		{ type: "heartbeat" }
	>;
	const sealed = sealTest(test, sealing.box, sealing.project);
	if (sealed.type !== "http") return sealed;
	const { headers = {}, body } = given.kept as Kept;
	return { ...sealed, headers: { ...headers, ...sealed.headers }, ...(body === undefined ? {} : { body }) };
}

interface Kept {
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
}

/** Of the secrets those that are new, and those that stay sealed: what is not named, or sent back masked. */
function secretsOf(
	before: Extract<SyntheticTest, { type: "http" }>,
	patch: Readonly<Record<string, unknown>>,
): { fresh: Readonly<Record<string, unknown>>; kept: Kept } {
	if (patch.body === MASKED && before.body === undefined) throw nothingMasked("body");
	const isBodyKept = patch.body === undefined || patch.body === MASKED;
	const body = isBodyKept && before.body !== undefined ? { body: before.body } : {};
	const found = headersOf(before, patch.headers);
	const kept = { ...found.kept, ...body };
	if (isElsewhere(patch.url, before.url) && (body.body !== undefined || Object.keys(kept.headers ?? {}).length > 0)) {
		const reason = "leads elsewhere, where what is stored is not sent: send headers and body with it";
		throw badParameter({ parameter: "url", provided: patch.url, valid_options: [], reason });
	}
	return { fresh: found.fresh, kept };
}

/** Whoever could lead an address elsewhere and keep its secrets would be sent them. What is no URL is refused with the rest. */
function isElsewhere(url: unknown, before: string): boolean {
	return typeof url === "string" && URL.canParse(url) && new URL(url).origin !== new URL(before).origin;
}

function headersOf(
	before: Extract<SyntheticTest, { type: "http" }>,
	headers: unknown,
): { fresh: Readonly<Record<string, unknown>>; kept: Pick<Kept, "headers"> } {
	if (headers === undefined) return { fresh: {}, kept: { headers: before.headers } };
	// What is no object is refused with the rest.
	if (typeof headers !== "object" || headers === null) return { fresh: { headers }, kept: {} };
	const known = Object.entries(before.headers);
	const fresh: Record<string, unknown> = {};
	const kept: Record<string, string> = {};
	for (const [name, value] of Object.entries(headers)) {
		if (value !== MASKED) {
			fresh[name] = value;
			continue;
		}
		const old = known.find(([other]) => other.toLowerCase() === name.toLowerCase());
		if (old) kept[name] = old[1];
		else throw nothingMasked(`headers.${name}`);
	}
	return { fresh: { headers: fresh }, kept: { headers: kept } };
}

function nothingMasked(parameter: string) {
	const reason = "is masked, and nothing is stored that the mask could stand for: send the value itself";
	return badParameter({ parameter, provided: MASKED, valid_options: [], reason });
}

/** A body that stays is not checked again: sealed it is longer than what was sent. */
function dropped(input: Record<string, unknown>, { body }: Kept): Record<string, unknown> {
	if (body === undefined && input.body !== undefined) return input;
	const { body: _, ...rest } = input;
	return rest;
}

/** Without its frequency where the change says another one, in whichever unit. */
function timeless<T extends { frequency_seconds: number }>(
	test: T,
	patch: Readonly<Record<string, unknown>>,
): Partial<T> {
	const { frequency_seconds, ...rest } = test;
	const isOther = patch.frequency_minutes !== undefined || patch.frequency_seconds !== undefined;
	return (isOther ? rest : { ...rest, frequency_seconds }) as Partial<T>;
}
