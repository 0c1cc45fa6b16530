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

/** Active users by region; those whose events name no country are absent. */
export function usersByRegion(scope: PeopleScope, members?: Members): Question<Map<Region, number>> {
	const params = new Params();
	const { start, end } = scope;
	const date = (ms: number) => params.add("Date", new Date(ms).toISOString().slice(0, 10));
	// The state has the last country of each UTC day. In the day of the end that may be one of later: only of whom it is so, events tell.
	const edge = Math.floor(end / DAY_MS) * DAY_MS;
	const sent = "intDiv(country, 65536)";
	const until = params.add("Int64", end);
	const inDays = `day >= ${date(start)} AND day <= ${date(edge)} AND ${sent} >= ${params.add("Int64", start)} AND ${sent} < ${until}`;
	const later = from("user_days", `day = ${date(edge)} AND ${sent} >= ${until}`);
	const inEvents = `person IN (SELECT person ${later}) AND ${MAKES_ACTIVE} AND ${COUNTRY} != '' AND ${between(params, "ts", Math.max(start, edge), end)}`;
	const rows = `(SELECT person, country ${from("user_days", inDays)}
UNION ALL SELECT person, toUInt64(toUnixTimestamp64Milli(ts)) * 65536 +
	if(length(${COUNTRY}) = 2, reinterpretAsUInt16(upper(${COUNTRY})), 16191) AS country ${from("events", inEvents)})`;
	const users = perUser(params, rows, { country: gathered("max", "country") }, { ...scope, where: members?.(params) });
	return {
		name: "users_by_region",
		params,
		sql: `SELECT bitAnd(country, 65535) AS code, count() AS users FROM ${users} GROUP BY code`,
		read: (found) => {
			const regions = new Map<Region, number>();
			for (const { code, users } of found as unknown as { code: number; users: number }[]) {
				const region = COUNTRY_REGIONS[String.fromCharCode(code & 255, code >> 8)] ?? "other";
				regions.set(region, (regions.get(region) ?? 0) + users);
			}
			return regions;
		},
	};
}
