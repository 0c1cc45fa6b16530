/** What an alert may not do although it was accepted: tell people whom nobody knows, or over channels that take nothing. Pure. */
import { whoIs } from "../../../schema/contacts.ts";
import type { AlertRule, StoredNotifications } from "../../../schema/wire/index.ts";
import type { FailingChannel } from "../../measures/alerting/channels.ts";
import { nearMatches } from "../../near.ts";

const NOTHING: StoredNotifications = { channels: [], contacts: {} };

export function warningsOf(
	alert_id: string,
	rule: Pick<AlertRule, "notifications" | "escalation_policy">,
	{ config = NOTHING, failing }: { config: StoredNotifications | undefined; failing: readonly FailingChannel[] },
): string[] {
	const levels = (rule.escalation_policy?.levels ?? []).flatMap(({ notify }) => notify);
	const contacts = rule.notifications.flatMap((one) => (one.type === "contact" ? [one.contact] : []));
	const names = [...new Set([...contacts, ...levels])];
	const found = names.map((name) => ({ name, who: whoIs(name, config) }));
	const unknown = found.filter(({ who }) => who === undefined).map(({ name }) => name);
	const usual = config.channels.filter((channel) => channel.default).map(({ name }) => name);
	const namesNobody = rule.notifications.length === 0 && levels.length === 0;
	const used = new Set([
		...found.flatMap(({ who }) => who?.channels.map(({ name }) => name) ?? []),
		...(unknown.length > 0 || namesNobody ? usual : []),
	]);
	return [
		...unknown.map((name) => unknownContact(name, config, usual)),
		...(namesNobody && usual.length === 0
			? ["It names nobody, and no channel is told by default: nobody hears of it"]
			: []),
		...failing
			.filter((one) => one.alert_id === alert_id || (one.alert_id === "" && used.has(one.channel)))
			.map(failingText),
	];
}

function unknownContact(name: string, { channels, contacts }: StoredNotifications, usual: readonly string[]): string {
	const known = [...Object.keys(contacts), ...channels.map((channel) => channel.name)];
	const [near] = nearMatches(name, known);
	const instead =
		usual.length === 0 ? "nobody is told" : `${usual.join(", ")} ${usual.length === 1 ? "is" : "are"} told instead`;
	return `No contact or channel is called ${name}${near === undefined ? "" : ` (${near}?)`}: ${instead}`;
}

/** How a failing channel is told of wherever it is shown. */
export function failingText({ channel, failing_since, last_error }: FailingChannel): string {
	return `${channel}: takes no messages since ${new Date(failing_since).toISOString()}: ${last_error}`;
}
