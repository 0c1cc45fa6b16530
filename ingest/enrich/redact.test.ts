import { describe, expect, it } from "vitest";
import type { EventRow } from "../batch.ts";
import { parseEvent } from "../parse/event.ts";
import { timeBounds } from "../parse/time.ts";
import { countryOf } from "./country.ts";
import { type ContentCapture, redact } from "./redact.ts";

/** What is kept of the properties of an event. */
function kept(event: string, properties: object, capture: ContentCapture = "off"): Record<string, unknown> {
	const row = parseEvent({ event, properties }, timeBounds(Date.now(), 90)) as EventRow;
	redact(row, capture);
	return Object.fromEntries([...row.strings, ...row.numbers]);
}

describe("an address", () => {
	it.each([
		["8.8.8.8", "US"],
		["81.2.69.160", "GB"],
		["90.119.169.42", "FR"],
		["::ffff:81.2.69.160", "GB"],
		["81.2.69.160, 10.0.0.1", "GB"],
		["10.0.0.1", undefined],
		["127.0.0.1", undefined],
		["203.0.113.5", undefined],
		["2001:4860:4860::8888", undefined],
		["1.2.3", undefined],
		["1.2.3.4.5", undefined],
		["01.2.3.4", undefined],
		["", undefined],
		["unknown", undefined],
	])("%s is in %s", (address, country) => {
		expect(countryOf(address)).toBe(country);
	});

	it.each(["ip", "$ip", "ip_address", "client_ip", "client.address"])("as %s becomes its country", (name) => {
		expect(kept("page_view", { [name]: "81.2.69.160", plan: "pro" })).toEqual({
			plan: "pro",
			"geo.country.iso_code": "GB",
		});
	});

	it("is not kept, also when it is of no known country, nested, or a number", () => {
		for (const properties of [
			{ ip: "10.0.0.1" },
			{ ip: "nobody" },
			{ client: { ip: "fe80::1" } },
			{ ip: 1_359_103_392 },
		])
			expect(kept("page_view", { ...properties, a: 1 })).toEqual({ a: 1 });
	});

	it("does not change the country that the sender named, and the first that is known counts", () => {
		const country = { "geo.country.iso_code": "NP" };
		expect(kept("page_view", { ip: "8.8.8.8", ...country })).toEqual(country);
		expect(kept("page_view", { ip: "8.8.8.8", geo: { country: { iso_code: "NP" } } })).toEqual(country);
		expect(kept("page_view", { ip: "10.0.0.1", $ip: "8.8.8.8" })).toEqual({ "geo.country.iso_code": "US" });
	});
});

describe("content", () => {
	const REMOVED = { content_captured: "false" };

	it.each(["content", "text", "message", "messages", "prompt", "input", "output", "response", "completion"])(
		"in %s is kept only where it is to be stored, as text, list or object",
		(name) => {
			for (const event of ["chat.message.sent", "model_inference_completed"]) {
				for (const value of ["secret", ["secret"], { role: "user", parts: ["secret"] }]) {
					for (const capture of ["off", "analyse"] as const) {
						const { response_chars, ...rest } = kept(event, { [name]: value, model: "m" }, capture);
						expect(rest).toEqual({ model: "m", ...REMOVED });
					}
					expect(JSON.stringify(kept(event, { [name]: value }, "store"))).toContain("secret");
				}
			}
		},
	);

	it("is not what other events, and other properties, carry", () => {
		const properties = { content: "landing", text: "Buy", message: "m", prompt: "p" };
		expect(kept("button.clicked", properties)).toEqual(properties);
		const counted = {
			input_tokens: 5,
			output_tokens: 7,
			response_chars: 9,
			input: 3,
			message_id: "m1",
			prompt_name: "p",
		};
		expect(kept("model_inference_completed", counted)).toEqual(counted);
	});

	it("tells the length of an answer in characters, where nobody counted it and it is captured", () => {
		const of = (properties: object, capture: ContentCapture = "analyse") =>
			kept("model_inference_completed", properties, capture).response_chars;
		expect(of({ response: "größe 😀" })).toBe(7);
		expect(of({ output: [{ type: "text", text: "four" }] })).toBe(4);
		expect(of({ response: { content: "five5" } })).toBe(5);
		expect(of({ response: "" })).toBe(0);
		expect(of({ output: "[not json" }, "store")).toBe(9);
		expect(of({ response: "abc", response_chars: 99 })).toBe(99);
		expect(of({ response: "abc" }, "off")).toBeUndefined();
		expect(of({ prompt: "abc" })).toBeUndefined();
		expect(kept("chat.message.sent", { response: "abc" }, "analyse")).toEqual(REMOVED);
	});
});
