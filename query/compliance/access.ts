/** Checks of who may do what. */
import { definitionBodies, isActiveAt, type KeyRecord, keyRecords } from "../measures/compliance.ts";
import { type Assessing, DAY_MS, type Finding, iso, notTested, testedAll } from "./finding.ts";

/** A quarter, and what a person needs to get to it. */
export const REVIEW_DAYS = 92;
export const ROTATION_DAYS = 90;

export const ACCESS_REVIEW = "access_review";
interface Review {
	readonly reviewed_at: string;
	readonly by: string;
	readonly sha256: string;
	readonly keys: readonly { readonly key_id: string; readonly decision: "keep" | "revoke" }[];
}

/** The newest review is no older than a quarter, decided on every key that was active then, and what it refused is revoked. */
export async function accessReview({ asker, end }: Assessing): Promise<Finding> {
	const [keys, reviews] = await Promise.all([
		asker.ask(keyRecords(end)),
		asker.ask(definitionBodies(ACCESS_REVIEW, end)),
	]);
	const newest = reviews.at(-1);
	if (newest === undefined) return notTested("access was never reviewed");
	const review = newest.body as Review;
	const reviewed_at = Date.parse(review.reviewed_at);
	const decided = new Map(review.keys.map(({ key_id, decision }) => [key_id, decision]));
	const active = keys.filter((key) => isActiveAt(key, reviewed_at));
	const old = reviewed_at < end - REVIEW_DAYS * DAY_MS;
	return testedAll({
		...{ what: "active keys", population: active.length, tested: active.length + (old ? 1 : 0) },
		exceptions: [
			...(old ? [`the newest review is of ${iso(reviewed_at)}, more than ${REVIEW_DAYS} days ago`] : []),
			...active.filter(({ key_id }) => !decided.has(key_id)).map(({ key_id }) => `${key_id}: nobody decided on it`),
			...keys
				.filter((key) => decided.get(key.key_id) === "revoke" && isActiveAt(key, end))
				.map(({ key_id }) => `${key_id}: was to be revoked, and is active`),
		],
		evidence: [
			{ kind: "access_review", title: `Review ${newest.id}`, content: [newest.body] },
			{ kind: "keys", title: "Keys at the end of the window", content: keys.map(keyEvidence) },
		],
	});
}

/** No active key has an old text. */
export async function keysRotated({ asker, end }: Assessing): Promise<Finding> {
	const active = (await asker.ask(keyRecords(end))).filter((key) => isActiveAt(key, end));
	return testedAll({
		...{ what: "active keys", population: active.length, tested: active.length },
		exceptions: active
			.filter(({ rotated_at }) => rotated_at < end - ROTATION_DAYS * DAY_MS)
			.map(({ key_id, rotated_at }) => `${key_id}: its text is of ${iso(rotated_at)}`),
		evidence: [
			{ kind: "keys", title: "Keys that were active at the end of the window", content: active.map(keyEvidence) },
		],
	});
}

function keyEvidence({ created_at, rotated_at, expires_at, revoked_at, last_used_at, ...key }: KeyRecord): object {
	return {
		...key,
		...{ created_at: iso(created_at), rotated_at: iso(rotated_at), expires_at: iso(expires_at) },
		...{ revoked_at: iso(revoked_at), last_used_at: iso(last_used_at) },
	};
}
