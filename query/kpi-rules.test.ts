import { expect, test } from "vitest";
import { judgeKpi } from "./kpi-rules.ts";

const higher = (target_value: number) => ({ target_value, trend_direction: "higher_is_better" }) as const;
const lower = (target_value: number) => ({ target_value, trend_direction: "lower_is_better" }) as const;

test.each([
	["on target exactly", 0.95, null, higher(0.95), { attainment: 1, status: "on_target", trend: null }],
	["a sum's error is no miss", 0.1 + 0.2, null, lower(0.3), { status: "on_target" }],
	["below", 0.9, 0.9, higher(1), { attainment: 0.9, status: "off_target", trend: "stable" }],
	["lower is better: above", 0.04, 0.05, lower(0.02), { attainment: 0.5, status: "off_target", trend: "improving" }],
	["lower is better: below", 0.01, 0.005, lower(0.02), { attainment: 2, status: "on_target", trend: "declining" }],
	["a change of 1 % is stable", 101, 100, higher(100), { trend: "stable" }],
	["one of more is not", 101.1, 100, higher(100), { trend: "improving" }],
	["nor down", 98.9, 100, higher(100), { trend: "declining" }],
	["from nothing", 1, 0, higher(1), { trend: "improving" }],
	["nothing from nothing", 0, 0, lower(1), { attainment: null, status: "on_target", trend: "stable" }],
	["below zero, upwards", -1, -2, higher(0), { attainment: null, status: "off_target", trend: "improving" }],
	["unknown", null, 1, higher(1), { attainment: null, status: "no_data", trend: null }],
] as const)("%s", (_, value, before, kpi, expected) => {
	expect(judgeKpi(value, before, kpi)).toMatchObject(expected);
});
