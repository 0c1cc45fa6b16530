/** What came of an attempt to send something, and which failures pass. Pure. */

/** What came of an attempt. Nothing in it is a secret: paths of addresses, headers and keys stay out. */
export type Outcome =
	| { readonly outcome: "sent"; readonly status_code: number; readonly detail: string }
	| {
			/** `failed`: trying again is of no use before the channel is another one. */
			readonly outcome: "retry" | "failed";
			readonly status_code: number;
			readonly detail: string;
			/** The other side asked for so long a pause. */
			readonly retry_after_ms?: number;
	  };

/** They pass: overload, conflict with something that ends, not yet. */
const PASSING = new Set([408, 409, 425, 429]);

/** @param at milliseconds since the epoch */
export function judge(
	status: number,
	headers: Readonly<Record<string, string>>,
	refusal: string | undefined,
	at: number,
): Outcome {
	if (status >= 200 && status < 300) {
		if (refusal === undefined) return { outcome: "sent", status_code: status, detail: "" };
		return no("retry", status, refusal);
	}
	const pause = retryAfter(headers["retry-after"], at);
	const wait = pause === undefined ? {} : { retry_after_ms: pause };
	if (status >= 500 || PASSING.has(status)) return { ...no("retry", status, `answered ${status}`), ...wait };
	if (status >= 300 && status < 400) return no("failed", status, `answered ${status}: redirects are not followed`);
	return no("failed", status, `answered ${status}`);
}

export function no(outcome: "retry" | "failed", status_code: number, detail: string) {
	return { outcome, status_code, detail };
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfter(text: string | undefined, at: number): number | undefined {
	if (text === undefined) return undefined;
	if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
	const date = Date.parse(text);
	return Number.isNaN(date) ? undefined : Math.max(0, date - at);
}
