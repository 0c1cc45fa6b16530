/** Links by which an alert is acknowledged without a key: they say what they are good for, until when, and are signed. */
import type { SecretBox } from "./secret-box.ts";

export const ACKNOWLEDGE_PATH = "/acknowledge";

export interface AcknowledgeLink {
	readonly project: string;
	readonly alert_id: string;
	/** Empty stands for all that burn. */
	readonly firing_ids: readonly string[];
	/** Milliseconds since the epoch. */
	readonly expires_at: number;
}

/** So that the address stays short enough for every mail program. */
const MAX_FIRINGS = 20;

export function acknowledgeToken(link: AcknowledgeLink, box: SecretBox): string {
	const firings = link.firing_ids.length > MAX_FIRINGS ? [] : link.firing_ids;
	const claim = JSON.stringify([link.project, link.alert_id, firings, link.expires_at]);
	const text = Buffer.from(claim).toString("base64url");
	return `${text}.${box.sign(`acknowledge ${text}`)}`;
}

/** @returns undefined for a text that nobody here has signed */
export function readAcknowledgeToken(token: string, box: SecretBox): AcknowledgeLink | undefined {
	const [text = "", signed = ""] = token.split(".");
	if (!box.verify(`acknowledge ${text}`, signed)) return undefined;
	const [project, alert_id, firing_ids, expires_at] = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
	return { project, alert_id, firing_ids, expires_at };
}
