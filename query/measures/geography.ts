/** Where active users are: the region of the last country that a user's events of the window name. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { gathered, MAKES_ACTIVE, type PeopleScope, perUser } from "./people.ts";
import type { Members } from "./segments.ts";

export const REGIONS = ["us", "eu", "asia", "other"] as const;
export type Region = (typeof REGIONS)[number];

const EUROPE =
	"AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK";
const ASIA =
	"AE AF AM AZ BD BH BN BT CN GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE";

/** ISO country to region; a country that is not named is `other`. */
export const COUNTRY_REGIONS: Readonly<Record<string, Region>> = {
	US: "us",
	...Object.fromEntries(EUROPE.split(" ").map((code) => [code, "eu" as const])),
	...Object.fromEntries(ASIA.split(" ").map((code) => [code, "asia" as const])),
};

const DAY_MS = 86_400_000;
const COUNTRY = "strings['geo.country.iso_code']";

/** SQL on `user_days`: when the last country of the day was sent, milliseconds since the epoch. */
const SENT = "intDiv(country, 65536)";

/**
 * Active users by region, by the last country of each day; those whose events name no country are absent. Undefined where that does not
 * tell: somebody sent another one on the day of the end, after it.
 */
export function usersByRegionOfDays(scope: PeopleScope, members?: Members): Question<Map<Region, number> | undefined> {
	const params = new Params();
	const { first, last } = daysOf(params, scope);
	const rows = `(SELECT person, country ${from("user_days", `${first} AND ${last}`)})`;
	const isLater = `country >= ${params.add("UInt64", scope.end * 65_536)}`;
	return byRegion(params, rows, { ...scope, members }, `if(${isLater}, 0, bitAnd(country, 65535))`);
}

/** The same of any window: of whom days do not tell, the events of the last day do. */
export function usersByRegion(scope: PeopleScope, members?: Members): Question<Map<Region, number>> {
	const params = new Params();
	const { start, end } = scope;
	const { first, last, lastDay, edge } = daysOf(params, scope);
	const until = params.add("Int64", end);
	const later = from("user_days", `${lastDay} AND ${SENT} >= ${until}`);
	const inEvents = `person IN (SELECT person ${later}) AND ${MAKES_ACTIVE} AND ${COUNTRY} != '' AND ${between(params, "ts", Math.max(start, edge), end)}`;
	const rows = `(SELECT person, country ${from("user_days", `${first} AND ${last} AND ${SENT} < ${until}`)}
UNION ALL SELECT person, toUInt64(toUnixTimestamp64Milli(ts)) * 65536 +
	if(length(${COUNTRY}) = 2, reinterpretAsUInt16(upper(${COUNTRY})), 16191) AS country ${from("events", inEvents)})`;
	const { read, ...question } = byRegion(params, rows, { ...scope, members }, "bitAnd(country, 65535)");
	return { ...question, read: (found) => read(found)! };
}

function daysOf(params: Params, { start, end }: PeopleScope) {
	const date = (ms: number) => params.add("Date", new Date(ms).toISOString().slice(0, 10));
	const edge = Math.floor((end - 1) / DAY_MS) * DAY_MS;
	return {
		edge,
		// Days without a country have 0 for its time.
		first: `day >= ${date(start)} AND ${SENT} >= ${params.add("Int64", Math.max(start, 1))}`,
		last: `day <= ${date(edge)}`,
		lastDay: `day = ${date(edge)}`,
	};
}

/** @param code SQL of the country of a user, 0 for one that is not known */
function byRegion(
	params: Params,
	rows: string,
	{ members, ...scope }: PeopleScope & { readonly members: Members | undefined },
	code: string,
): Question<Map<Region, number> | undefined> {
	const columns = { country: gathered("max", "country") };
	const users = perUser(params, rows, columns, { ...scope, where: members?.(params) });
	return {
		name: "users_by_region",
		params,
		sql: `SELECT ${code} AS code, count() AS users FROM ${users} GROUP BY code`,
		read: (found) => {
			const regions = new Map<Region, number>();
			for (const { code, users } of found as unknown as { code: number; users: number }[]) {
				if (code === 0) return undefined;
				const region = COUNTRY_REGIONS[String.fromCharCode(code & 255, code >> 8)] ?? "other";
				regions.set(region, (regions.get(region) ?? 0) + users);
			}
			return regions;
		},
	};
}
