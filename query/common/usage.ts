/** What the routes about use share. */
import { Temporal } from "temporal-polyfill";
import { CHAT_EVENT } from "../measures/counts.ts";
import { type Region, usersByRegion, usersByRegionOfDays } from "../measures/geography.ts";
import { type Identification, identification } from "../measures/identification.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import type { PeopleScope } from "../measures/people.ts";
import { RETENTION_DAYS, type RetentionOptions, retention } from "../measures/retention.ts";
import { DELETED_EVENT, type Members, SIGN_UP_EVENT } from "../measures/segments.ts";
import type { SessionTotals } from "../measures/sessions.ts";
import type { Signals } from "../measures/signals.ts";
import type { NeededRecords } from "../meta.ts";
import { ratio } from "../rounding.ts";
import type { Asking } from "../route.ts";
import type { Span } from "../time/period.ts";

/** Any event with a user will do, for sessions too: without session ids they are told apart by silence. */
export const OF_USERS = { any: ["event session.started", "event"], with: "user_id" } as const satisfies NeededRecords;

/** What questions about the people of a project are asked by. */
export interface PeopleFacts extends Identification {
	/** @see PeriodScope.unregistered */
	readonly unregistered: boolean;
}

/** Facts about the people of a project, of what it sent. They hardly ever change: to be presumed under one name everywhere. */
export async function peopleFacts(
	asker: Asking["asker"],
	asked: Promise<Signals>,
	as_of: number,
): Promise<PeopleFacts> {
	const [sent, identified] = await Promise.all([asked, asker.ask(identification(as_of))]);
	return { ...identified, unregistered: !sent.hasEvent(SIGN_UP_EVENT, DELETED_EVENT) };
}

/** Messages of sessions: chat messages, or model events in a project that never sent one. Null when it sent neither. */
export function messagesOf(sessions: SessionTotals, sent: Signals): number | null {
	if (sent.hasEvent(CHAT_EVENT)) return sessions.chats;
	return sent.hasEvent(MODEL_EVENT) ? sessions.inferences : null;
}

export async function retentionRates(asker: Asking["asker"], options: RetentionOptions) {
	const days = await asker.ask(retention(options));
	const rate = (n: (typeof RETENTION_DAYS)[number]) => {
		const { users, retained } = days[RETENTION_DAYS.indexOf(n)]!;
		return users > 0 ? ratio(retained / users) : null;
	};
	return { day_1: rate(1), day_7: rate(7), day_30: rate(30) };
}

/** Active users by region. Days tell of nearly all windows: nobody has been seen after one that ends now. */
export async function regionsOfUsers(
	asker: Asking["asker"],
	scope: PeopleScope,
	members?: Members,
): Promise<Map<Region, number>> {
	return (await asker.ask(usersByRegionOfDays(scope, members))) ?? (await asker.ask(usersByRegion(scope, members)));
}

/** Calendar days that a window touches. */
export function calendarDays({ start, end }: Span, timezone: string): number {
	const date = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timezone).toPlainDate();
	return date(start).until(date(end - 1)).days + 1;
}
