import type { EventRow } from "../batch.ts";
import { countryOf } from "./country.ts";
import { messageText } from "./message.ts";
import { hasContent, INFERENCE_EVENT, isAddress, isContent } from "./names.ts";

/**
 * What becomes of the text of messages, prompts and answers:
 * - `off`: it is not stored, and nothing is read out of it;
 * - `analyse`: sentiment, language and length are read out of it, and it is not stored;
 * - `store`: the same, and it is stored.
 */
export type ContentCapture = "off" | "analyse" | "store";

const COUNTRY = "geo.country.iso_code";
const RESPONSES = ["response", "output", "completion"].flatMap((name) => [name, `${name}.content`, `${name}.text`]);

/**
 * Takes out of an event, before it becomes durable, what must not be: the address of a person, of which the country is kept, and
 * content that is not to be captured. Of that, `content_captured` = `false` says that it was sent.
 * @returns whether content was taken out
 */
export function redact(row: EventRow, capture: ContentCapture): boolean {
	const addresses = row.strings.filter(([name]) => isAddress(name));
	if (addresses.length > 0) {
		row.strings = row.strings.filter(([name]) => !isAddress(name));
		if (!has(row.strings, COUNTRY)) addCountry(row, addresses);
	}
	// An address may be a number as well.
	if (row.numbers.some(([name]) => isAddress(name))) row.numbers = row.numbers.filter(([name]) => !isAddress(name));
	if (!hasContent(row.event)) return false;
	if (capture !== "off" && row.event === INFERENCE_EVENT) addResponseLength(row);
	if (capture === "store" || !row.strings.some(([name]) => isContent(name))) return false;
	row.strings = [...row.strings.filter(([name]) => !isContent(name)), ["content_captured", "false"]];
	return true;
}

function addCountry(row: EventRow, addresses: EventRow["strings"]): void {
	for (const [, address] of addresses) {
		const country = countryOf(address);
		if (country === undefined) continue;
		row.strings = [...row.strings, [COUNTRY, country]];
		return;
	}
}

/** The length of the answer in characters, where the sender did not count them. */
function addResponseLength(row: EventRow): void {
	if (has(row.numbers, "response_chars") || has(row.strings, "response_chars")) return;
	for (const name of RESPONSES) {
		const found = row.strings.find(([other]) => other === name);
		const text = found && messageText(found[1]);
		if (text === undefined) continue;
		row.numbers = [...row.numbers, ["response_chars", [...text].length]];
		return;
	}
}

function has(properties: readonly (readonly [string, unknown])[], name: string): boolean {
	return properties.some(([other]) => other === name);
}
