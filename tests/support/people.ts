/** Random events of people, and who they are of, worked out in another way than by SQL: for tests of what counts users. */
import { randomFrom } from "./random.ts";
import type { TestEvent } from "./records.ts";

export interface PeopleOptions {
	readonly from: number;
	readonly to: number;
	readonly visits: number;
	readonly users: number;
	/** Whether clients send session ids. */
	readonly sessions: boolean;
	readonly seed: number;
}

const EVENTS = ["chat.message.sent", "feature.used", "model_inference_completed", "session.started", "user.signed_up"];
const FEATURES = ["chat", "search", 'résumé "builder"', "a/b", "日本語"];
const COUNTRIES = ["US", "DE", "JP", "br", "XYZ"];

/** Visits of users: some before they log in, by an anonymous id alone, which some clients send as user_id. In no order. */
export function peopleEvents({ from, to, visits, users, sessions, seed }: PeopleOptions): TestEvent[] {
	const u = randomFrom(seed);
	const pick = <T>(list: readonly T[]) => list[Math.floor(u() * list.length)]!;
	const all: TestEvent[] = [];
	for (let visit = 0; visit < visits; visit++) {
		const user = Math.floor(u() * u() * users);
		let ts = Math.floor(from + u() * (to - from));
		// Some visits begin exactly on a boundary.
		if (visit % 5 === 0) ts -= ts % 900_000;
		const device = `anon ${user}.${Math.floor(u() * 2)}`;
		const kind = u();
		const country = u() < 0.6 ? pick(COUNTRIES) : undefined;
		const length = 1 + Math.floor(u() * 8);
		for (let i = 0; i < length; i++) {
			const event = u() < 0.02 ? "user.deleted" : pick(EVENTS);
			const isAnonymous = kind < 0.3 && i < length - 1;
			const asUser = kind < 0.05;
			all.push({
				event,
				ts,
				...(isAnonymous ? (asUser ? { user_id: device } : {}) : { user_id: `user ${user}` }),
				...(sessions && u() < 0.9 ? { session_id: `s${visit}` } : {}),
				properties: {
					...(kind < 0.4 && !asUser && u() < 0.8 ? { anonymous_id: device } : {}),
					...(country === undefined ? {} : { "geo.country.iso_code": country }),
					...(event === "feature.used" ? { feature: pick(FEATURES) } : {}),
				},
			});
			ts += Math.floor(u() ** 3 * 3_600_000);
			if (ts >= to) break;
		}
	}
	return all.sort(() => u() - 0.5);
}

/** An event with its user: undefined for nobody. */
export interface Known extends TestEvent {
	readonly user: string | undefined;
}

/** The events before `as_of`, in the order of time, each with its user. */
export function knownAt(all: readonly TestEvent[], as_of: number): Known[] {
	const before = all.filter(({ ts }) => ts < as_of).sort((a, b) => a.ts - b.ts);
	const links = new Map<string, string>();
	for (const { user_id, properties } of before) {
		const anonymous = properties?.anonymous_id;
		if (user_id === undefined || anonymous === undefined || anonymous === user_id) continue;
		if (!links.has(String(anonymous))) links.set(String(anonymous), user_id);
	}
	const userOf = ({ user_id, properties }: TestEvent) => {
		const id = user_id ?? properties?.anonymous_id;
		if (id === undefined) return undefined;
		const linked = links.get(String(id));
		return linked === undefined ? user_id : (links.get(linked) ?? linked);
	};
	return before.map((event) => ({ ...event, user: userOf(event) }));
}

export function isActive({ user, event }: Known): boolean {
	return user !== undefined && event !== "user.deleted";
}
