/** Which members of a destination are secrets, and how they rest. */
import type { SecretBox } from "./secret-box.ts";
import type { Destination } from "./wire/index.ts";

const SECRETS = ["secret_access_key", "session_token"] as const;

/** Goes through the secrets of a destination. */
export function mapDestinationSecrets(
	destination: Destination,
	change: (text: string, member: (typeof SECRETS)[number]) => string,
): Destination {
	const entries = SECRETS.flatMap((name) => {
		const text = destination[name];
		return text === undefined ? [] : [[name, change(text, name)]];
	});
	return { ...destination, ...Object.fromEntries(entries) };
}

/** What is stored. @param project to which the secrets belong */
export function sealDestination(destination: Destination, box: SecretBox, project: string): Destination {
	return mapDestinationSecrets(destination, (text) => box.seal(text, project));
}

/** What is written with. @throws SealError */
export function openDestination(destination: Destination, box: SecretBox, project: string): Destination {
	return mapDestinationSecrets(destination, (text) => box.open(text, project));
}
