/** Which firings a silence holds back, and until when. Pure; times are milliseconds since the epoch. */
import { matchesPattern } from "../../schema/label-pattern.ts";
import { type SilentHours, silentUntil } from "../../schema/silent-hours.ts";
import type { Matcher, Severity } from "../../schema/wire/index.ts";

export interface ActiveSilence extends SilentHours {
	readonly matchers: readonly Matcher[];
}

export interface Matched {
	readonly alert_id: string;
	readonly name: string;
	readonly severity: Severity;
	/** Of the rule and of the instance. */
	readonly labels: Readonly<Record<string, string>>;
}

/** All matchers have to match; a label that is not there is an empty text. */
export function matches(matchers: readonly Matcher[], matched: Matched): boolean {
	return matchers.every(({ name, operator, value }) => {
		const text = textOf(name, matched);
		const isMatch = operator.endsWith("~") ? matchesPattern(value, text) : text === value;
		return operator.startsWith("!") ? !isMatch : isMatch;
	});
}

function textOf(name: string, { alert_id, name: title, severity, labels }: Matched): string {
	const members: Readonly<Record<string, string>> = { alert_id, name: title, alertname: title, severity };
	if (Object.hasOwn(labels, name)) return labels[name]!;
	return Object.hasOwn(members, name) ? members[name]! : "";
}

/** Silences that follow each other without a break are one; more than this in a row are not looked at. */
const MAX_LINKS = 1_000;

/** The first instant at or after `at` that none of these silences holds back. */
export function firstLoud(silences: readonly SilentHours[], at: number): number {
	let loud = at;
	for (let link = 0; link < MAX_LINKS; link++) {
		const until = Math.max(...silences.map((silence) => silentUntil(silence, loud) ?? loud));
		if (until <= loud) return loud;
		loud = until;
	}
	return loud;
}
