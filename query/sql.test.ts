import { expect, test } from "vitest";
import { assertScoped, from, Params, UnscopedQueryError } from "./sql.ts";

test("what `from` writes is let through, nested and united", () => {
	const inner = `SELECT series_id ${from("series", "name = {p0:String} OR name = 'a) OR 1 = (1'")}`;
	assertScoped(`SELECT sum(n) ${from("rollup_1h", `series_id IN (${inner})`)} GROUP BY series_id`);
	assertScoped(`SELECT 1 FROM (SELECT value ${from("points")} UNION ALL SELECT sum ${from("rollup_1m", "n > 0")})`);
	assertScoped("SELECT 'rows of points' AS note, 1 AS n FROM numbers(3)");
});

test.each([
	"SELECT * FROM points",
	"SELECT * FROM points WHERE name = 'x'",
	"SELECT * FROM points WHERE name = 'x' AND project = {project:String}",
	"SELECT * FROM points WHERE project = {project:String} OR 1",
	"SELECT * FROM points WHERE project = {project:String} AND (name = 'x') OR 1",
	"SELECT * FROM points WHERE project = {project:String} AND name = 'x' OR 1",
	"SELECT * FROM points WHERE project = 'other'",
	"SELECT * FROM points WHERE project = {project:String} /* */ OR 1",
	"SELECT * FROM a, points WHERE project = {project:String}",
	"SELECT * FROM a JOIN points USING x",
	"SELECT * FROM tidemark.points",
	"SELECT * FROM `points`",
	"SELECT * FROM points_local WHERE 1",
	"SELECT * FROM points AS p WHERE project = {project:String}",
	"SELECT 1 WHERE id IN points",
	"SELECT * FROM points WHERE project = {project:String} AND (name = 'x'",
	"SELECT * FROM remote('h', tidemark, points)",
])("refuses %s", (sql) => {
	expect(() => assertScoped(sql)).toThrow(UnscopedQueryError);
});

test("equal values share a placeholder, different types do not", () => {
	const params = new Params();
	expect([
		params.add("String", "a"),
		params.add("UInt8", 1),
		params.add("String", "a"),
		params.add("Float64", 1),
	]).toEqual(["{p0:String}", "{p1:UInt8}", "{p0:String}", "{p2:Float64}"]);
	expect(params.values).toEqual({ p0: "a", p1: 1, p2: 1 });
});
