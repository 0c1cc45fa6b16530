/**
 * Which members of a notification or a channel are secrets, and how they rest. A sealed one still fits the schema of its kind, so
 * whoever does not send needs no key: of an address the origin stays readable and the rest is sealed.
 */
import { isSealed, type SecretBox } from "./secret-box.ts";

const ADDRESSES: readonly string[] = ["url", "webhook_url", "smtp_url"];
const TEXTS: readonly string[] = ["integration_key", "secret"];

type Transform = (text: string, isAddress: boolean) => string;

/** Goes through the secrets of an object with members of a notification or channel. */
export function mapSecrets<T extends object>(from: T, change: Transform): T {
	const entries = Object.entries(from).map(([name, value]) => {
		if (typeof value === "string" && ADDRESSES.includes(name)) return [name, change(value, true)];
		if (typeof value === "string" && TEXTS.includes(name)) return [name, change(value, false)];
		if (name === "headers" && value !== undefined) {
			const headers = Object.entries(value as Record<string, string>).map(([header, text]) => [
				header,
				change(text, false),
			]);
			return [name, Object.fromEntries(headers)];
		}
		return [name, value];
	});
	return Object.fromEntries(entries) as T;
}

/** What is stored; what is sealed already stays as it is. @param project to which the secrets belong */
export function sealSecrets<T extends object>(from: T, box: SecretBox, project: string): T {
	return mapSecrets(from, (text, isAddress) => {
		const { origin, rest } = parts(text, isAddress);
		return opens(rest, box, project) ? text : `${origin}${box.seal(text, project)}`;
	});
}

/** What is sent with. @throws SealError */
export function openSecrets<T extends object>(from: T, box: SecretBox, project: string): T {
	return mapSecrets(from, (text, isAddress) => {
		const { rest } = parts(text, isAddress);
		// From before there was a key.
		return isSealed(rest) ? box.open(rest, project) : text;
	});
}

function opens(text: string, box: SecretBox, project: string): boolean {
	try {
		box.open(text, project);
		return true;
	} catch {
		return false;
	}
}

function parts(text: string, isAddress: boolean): { origin: string; rest: string } {
	if (!isAddress) return { origin: "", rest: text };
	const { protocol, host } = new URL(text);
	const origin = `${protocol}//${host}/`;
	return { origin, rest: text.startsWith(origin) ? text.slice(origin.length) : "" };
}
