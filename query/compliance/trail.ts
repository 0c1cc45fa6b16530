/** Checks of the audit log itself. */
import { auditVerifications, callsAudited, firstVerification } from "../measures/audit.ts";
import { auditDays } from "../measures/compliance.ts";
import type { Asker } from "../run.ts";
import { type Assessing, DAY_MS, type Finding, iso, MAX_LISTED, notTested, testedAll } from "./finding.ts";

/** Whole, without a gap, and anchored for every day with entries. */
export async function auditChain({ asker, start, end }: Assessing): Promise<Finding> {
	const { walks, days, loose } = await walked(asker, { start, end });
	if (walks.length === 0) return notTested("no walk over the audit log ended in this time");
	const broken = walks.filter(({ broken_at }) => broken_at !== null);
	return testedAll({
		what: "walks over the audit log and days with entries",
		population: walks.length + days.length,
		tested: walks.length + days.filter(({ due }) => due <= end).length,
		exceptions: [
			...broken.map(
				({ verified_at, broken_at, reason }) => `${iso(verified_at)}: broken at seq ${broken_at}, ${reason}`,
			),
			...loose.map((day) => `${iso(day).slice(0, 10)}: no anchor covers the entries of this day`),
		],
		evidence: [
			{
				kind: "audit_verifications",
				title: "Walks over the audit log, newest first; those that found it whole are its anchors",
				content: walks.map(({ project: _, verified_at, ...walk }) => ({ verified_at: iso(verified_at), ...walk })),
			},
		],
	});
}

/** After the beginning of a day (UTC): an anchor covers its last entry within the day after it. */
const ANCHORED_MS = 2 * DAY_MS;

/**
 * Walks of a window, the newest first; days with entries that are to have an anchor by an instant in it, or later; and those of them
 * that have none. A day is due in exactly one window.
 */
async function walked(asker: Asker, { start, end }: { readonly start: number; readonly end: number }) {
	const span = { start: start - ANCHORED_MS, end };
	const [verifications, entries, first] = await Promise.all([
		asker.ask(auditVerifications(span, MAX_LISTED * 10)),
		asker.ask(auditDays(span)),
		asker.ask(firstVerification()),
	]);
	const days = entries
		.map((one) => ({ ...one, due: one.day + ANCHORED_MS }))
		// Before the first walk there were no anchors; it has seen all that was there.
		.filter(({ day, due }) => due > start && first !== null && day + DAY_MS > first);
	const anchors = verifications.filter(({ broken_at }) => broken_at === null);
	const isAnchored = ({ due, last_seq }: (typeof days)[number]) =>
		anchors.some((anchor) => anchor.verified_at < due && anchor.last_seq >= last_seq);
	return {
		walks: verifications.filter(({ verified_at }) => verified_at >= start),
		days,
		loose: days.filter((day) => day.due <= end && !isAnchored(day)).map(({ day }) => day),
	};
}

/** Every request that changed something has its entry. */
export async function changesLogged({ asker, start, end }: Assessing): Promise<Finding> {
	const { calls, unaudited, first } = await asker.ask(callsAudited({ start, end }));
	if (calls === 0) return notTested("no request changed anything in this time");
	return testedAll({
		...{ what: "requests that changed something", population: calls, tested: calls, found: unaudited },
		exceptions: first.map(({ at, route, request_id }) => `${iso(at)}: ${route}, request ${request_id}`),
		evidence: [
			{
				kind: "changing_calls",
				title: "Requests that changed something, counted apart from the log, and those of them that it lacks",
				content: [{ calls, unaudited, first: first.map((call) => ({ ...call, at: iso(call.at) })) }],
			},
		],
	});
}

/**
 * The chain holds, each day with entries has an anchor, and no request that changed something lacks its entry.
 * @param span of which the anchors and requests are looked at
 * @returns null when nobody walked the chain in the 24 hours before the end
 */
export async function auditTrailComplete(
	asker: Asker,
	{ start, end }: { start: number; end: number },
): Promise<boolean | null> {
	const from = Math.min(start, end - DAY_MS);
	const [{ walks, loose }, { unaudited }] = await Promise.all([
		walked(asker, { start: from, end }),
		asker.ask(callsAudited({ start, end })),
	]);
	const [newest] = walks;
	if (newest === undefined || newest.verified_at < end - DAY_MS) return null;
	return walks.every(({ broken_at }) => broken_at === null) && loose.length === 0 && unaudited === 0;
}
