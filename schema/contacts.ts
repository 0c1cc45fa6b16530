/** Whom a name in a rule stands for, given the channels of a project. Pure. */
import type { StoredNotifications } from "./wire/index.ts";

export interface Named {
	readonly channels: readonly StoredNotifications["channels"][number][];
	readonly email: readonly string[];
}

/** A contact, or else a channel of this name; undefined when nobody has it. */
export function whoIs(
	name: string,
	{ channels, contacts }: Pick<StoredNotifications, "channels" | "contacts">,
): Named | undefined {
	const contact = Object.hasOwn(contacts, name) ? contacts[name] : undefined;
	const names = contact ? contact.channels : [name];
	const found = channels.filter((channel) => names.includes(channel.name));
	const email = contact?.email ?? [];
	return found.length + email.length === 0 ? undefined : { channels: found, email };
}
