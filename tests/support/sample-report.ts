/** A report with all that a report may hold: names of many scripts, gaps, long and wide tables. */
import type { ReportDocument } from "../../schema/report-document.ts";
import { randomFrom } from "./random.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-03-22T23:00:00Z");

export const NAMES = [
	"Żółta Łódź, Gdańsk",
	"Ångström & Søn",
	"Нижний Новгород — Ёлка",
	"Київська мережа «Ґанок»",
	"Αθήνα Ελλάδα Υπηρεσίες",
	"北京数据中心有限公司",
	"臺灣積體電路製造",
	"東京モニタリング株式会社",
	"サーバー監視・渋谷",
	"서울 데이터 센터",
	"Công ty Đường Sắt Hà Nội",
	"<script>alert('x')</script>",
	'=HYPERLINK("http://x")',
	"Ærøskøbing Dampfschifffahrtsgesellschaftskapitänsmützenhersteller und Söhne GmbH & Co. KG",
] as const;

/** A week in Berlin over which the clock is put forward. */
export function sampleReport(rows = 300): ReportDocument {
	const random = randomFrom(7);
	const hours = Array.from({ length: 7 * 24 - 1 }, (_, hour) => new Date(START + hour * HOUR).toISOString());
	const wave = (hour: number, base: number) =>
		base + base * 0.4 * Math.sin((hour / 24) * 2 * Math.PI) + random() * base * 0.15;
	return {
		title: "Weekly performance report",
		subtitle: "Requests, models and customers of the last week, as they were counted on Monday morning",
		project: "vega · Продакшн",
		period: { start: "2026-03-22T23:00:00Z", end: "2026-03-29T22:00:00Z", timezone: "Europe/Berlin" },
		generated_at: "2026-03-30T07:00:12Z",
		data_through: "2026-03-29T21:59:58Z",
		draft: true,
		sections: [
			{
				heading: "Overview",
				blocks: [
					{
						type: "figures",
						items: [
							{ label: "Requests", value: 1_254_310, change_percentage: 12.43 },
							{ label: "Response time, 95th percentile", value: 412.7, unit: "ms", change_percentage: -5.2 },
							{ label: "Success rate", value: 98.512, unit: "%", change_percentage: 0, note: "of requests that ended" },
							{ label: "Cost of models", value: 4821.5, unit: "USD", change_percentage: null },
							{ label: "Customers that left", value: null, note: "No record of cancellations was ever sent." },
							{ label: "Busiest customer", value: "東京モニタリング株式会社" },
							{ label: "Open incidents", value: 0 },
						],
					},
					{
						type: "insights",
						items: [
							{
								text: "Response times improved by 5.2% week over week, while traffic grew by 12.4%.",
								evidence: [
									{ label: "p95 this week", value: 412.7 },
									{ label: "p95 the week before", value: 435.3 },
									{ label: "Requests", value: 1_254_310 },
								],
							},
							{
								text: "Нижний Новгород — Ёлка sent a third of all errors on Tuesday between 14:00 and 16:00.",
								evidence: [
									{ label: "Errors of that customer", value: 1_204 },
									{ label: "Errors", value: 3_598 },
								],
							},
						],
					},
				],
			},
			{
				heading: "Traffic",
				blocks: [
					{
						type: "line_chart",
						title: "Requests per hour",
						unit: "requests",
						x: "time",
						series: ["Αθήνα", "北京", "Нижний Новгород"].map((name, index) => ({
							name,
							points: hours.map((hour, at) => [
								hour,
								index === 1 && at > 60 && at < 84 ? null : wave(at, 4000 - index * 1200),
							]),
						})),
					},
					{
						type: "bar_chart",
						title: "Errors per day",
						x: "time",
						series: [
							{
								name: "Errors",
								points: [412, 388, 1650, 402, null, 210, 198].map((value, day) => [
									new Date(START + day * 24 * HOUR).toISOString(),
									value,
								]),
							},
						],
					},
					{
						type: "bar_chart",
						title: "Tokens by model",
						unit: "million",
						x: "category",
						series: [
							{
								name: "Prompt",
								points: [
									["llama3.2", 812],
									["mistral", 455.2],
									["qwen", 120.25],
									["gemma", null],
								],
							},
							{
								name: "Completion",
								points: [
									["llama3.2", 300],
									["mistral", 221],
									["qwen", 60],
									["gemma", 12],
								],
							},
						],
					},
					{
						type: "bar_chart",
						title: "Change of revenue by customer",
						unit: "USD",
						x: "category",
						series: [
							{
								name: "Change",
								points: NAMES.map((name, at) => [name, at === 4 ? null : Math.round(9000 - at * 1250.5)]),
							},
						],
					},
				],
			},
			{
				heading: "Customers",
				blocks: [
					{
						type: "text",
						text: "Customers in the order of their requests. A dash says that nothing was ever sent that would tell; it is not a zero.\n\nEvery number is the one that the live pages answer for the same instant.",
					},
					{
						type: "table",
						title: "All customers",
						columns: [
							{ key: "rank", label: "#" },
							{ key: "name", label: "Customer" },
							{ key: "requests", label: "Requests" },
							{ key: "p95", label: "p95", unit: "ms" },
							{ key: "success", label: "Success", unit: "%" },
							{ key: "active", label: "Active" },
							{ key: "seen", label: "Last seen" },
						],
						rows: Array.from({ length: rows }, (_, at) => ({
							rank: at + 1,
							name: NAMES[at % NAMES.length]!,
							requests: Math.floor(98_000 / (at + 1)),
							p95: at % 7 === 3 ? null : Math.round(random() * 9000) / 10,
							success: Math.round(9000 + random() * 1000) / 100,
							active: at % 3 !== 0,
							seen: new Date(START + at * 1_117_000).toISOString(),
						})),
					},
					{
						type: "table",
						title: "Hours of the day",
						columns: [
							{ key: "name", label: "Customer" },
							...Array.from({ length: 24 }, (_, hour) => ({
								key: `h${hour}`,
								label: `${String(hour).padStart(2, "0")}:00`,
							})),
						],
						rows: NAMES.slice(0, 6).map((name, row) => ({
							name,
							...Object.fromEntries(
								Array.from({ length: 24 }, (_, hour) => [`h${hour}`, (hour * 137 * (row + 3)) % 1999]),
							),
						})),
					},
				],
			},
		],
		notes: ["Percentiles have an error of at most 1%.", "Smile 😀 and שלום are in no font of the printed report."],
	};
}
