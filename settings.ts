// Every setting: this one table drives parsing, error messages and the README's table.
import { z } from "zod";
import {
	bytes,
	duration,
	integer,
	invalid,
	machineMemoryBytes,
	optional,
	retention,
	setting,
	splitList,
	url,
} from "./setting-kinds.ts";
import { parseBytes } from "./units.ts";
import { isAllowEntry } from "./workers/outbound/allow.ts";

const ROLES = ["ingest", "query", "worker"] as const;
const CONTENT_CAPTURES = ["off", "analyse", "store"] as const;
const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** What one process of the program does. */
export type Role = (typeof ROLES)[number];

export const SETTINGS = {
	port: setting({
		env: "PORT",
		default: "8000",
		valid: "a port from 0 to 65535 (0 takes a free one)",
		about: "Port of the HTTP interface",
		schema: integer(0, 65_535),
	}),
	host: setting({
		env: "HOST",
		default: "127.0.0.1",
		valid: "an address to listen on",
		about: "Address to listen on; `0.0.0.0` opens it to the network",
		schema: z.string().regex(/^\S+$/),
	}),
	dataDir: setting({
		env: "TIDEMARK_DATA",
		default: "./data",
		valid: "a folder",
		about: "Folder of the journal, the embedded ClickHouse and the embedded Redis",
		schema: z.string(),
	}),
	adminKey: optional({
		env: "TIDEMARK_ADMIN_KEY",
		valid: "16 characters or more, no spaces",
		about: "Admin key of the project `default`; unset, the first start makes one and prints it",
		schema: z.string().regex(/^\S{16,}$/),
		secret: true,
	}),
	url: optional({
		env: "TIDEMARK_URL",
		valid: "an http:// or https:// URL",
		about: "The server that `import`, `tail` and other clients talk to; unset, the one at HOST and PORT",
		schema: url("http:", "https:"),
	}),
	key: optional({
		env: "TIDEMARK_KEY",
		valid: "16 characters or more, no spaces",
		about: "The key that they use; unset, TIDEMARK_ADMIN_KEY",
		schema: z.string().regex(/^\S{16,}$/),
		secret: true,
	}),
	roles: setting({
		env: "TIDEMARK_ROLES",
		default: ROLES.join(","),
		valid: `some of ${ROLES.join(", ")}, separated by commas`,
		about: "What `tidemark start` runs in this process",
		schema: z
			.string()
			.transform(splitList)
			.pipe(z.array(z.enum(ROLES)).min(1)),
	}),
	clickhouseUrl: optional({
		env: "CLICKHOUSE_URL",
		valid: "an http:// or https:// URL",
		about: "A real ClickHouse server; unset, the embedded one is used",
		schema: url("http:", "https:"),
		secret: true,
	}),
	clickhouseUser: optional({
		env: "CLICKHOUSE_USER",
		valid: "a user name",
		about: "User at CLICKHOUSE_URL, if it is not in the URL",
		schema: z.string(),
	}),
	clickhousePassword: optional({
		env: "CLICKHOUSE_PASSWORD",
		valid: "a password",
		about: "Password at CLICKHOUSE_URL, if it is not in the URL",
		schema: z.string(),
		secret: true,
	}),
	clickhouseDatabase: optional({
		env: "CLICKHOUSE_DATABASE",
		valid: "a database name of letters, digits and _",
		about: "Database at CLICKHOUSE_URL, if it is not in the URL",
		schema: z.string().regex(/^[A-Za-z_]\w*$/),
	}),
	clickhouseCluster: optional({
		env: "CLICKHOUSE_CLUSTER",
		valid: "a cluster name of letters, digits, _ and -",
		about: "Name of the ClickHouse cluster; set, tables are replicated and distributed over it",
		schema: z.string().regex(/^[\w-]+$/),
	}),
	redisUrl: optional({
		env: "REDIS_URL",
		valid: "a redis:// or rediss:// URL",
		about:
			"A real Redis server, which must not evict (`maxmemory-policy noeviction`); unset, `redis-server` from the PATH is run as a child",
		schema: url("redis:", "rediss:"),
		secret: true,
	}),
	location: setting({
		env: "TIDEMARK_LOCATION",
		default: "local",
		valid: "a name of letters, digits, ., _ and -",
		about: "Name of this worker as a location of synthetic tests",
		schema: z.string().regex(/^[\w.-]+$/),
	}),
	metricsRetentionMs: setting({
		env: "TIDEMARK_METRICS_RETENTION",
		default: "90d",
		about: "How long raw metric points are kept; rollups are kept longer",
		...retention(),
	}),
	logsRetentionMs: setting({
		env: "TIDEMARK_LOGS_RETENTION",
		default: "90d",
		about: "How long logs, errors and profiles are kept",
		...retention(),
	}),
	eventsRetentionMs: setting({
		env: "TIDEMARK_EVENTS_RETENTION",
		default: "400d",
		about: "How long events are kept",
		...retention(),
	}),
	exportsDir: optional({
		env: "TIDEMARK_EXPORTS",
		valid: "a folder",
		about:
			"Folder of the files of exports to download; unset, `exports` in TIDEMARK_DATA. Workers and query processes that run apart need one folder in common",
		schema: z.string(),
	}),
	exportsRetentionMs: setting({
		env: "TIDEMARK_EXPORTS_RETENTION",
		default: "7d",
		about: "How long the files of an export to download are kept",
		...retention(),
	}),
	reportsRetentionMs: setting({
		env: "TIDEMARK_REPORTS_RETENTION",
		default: "90d",
		about: "How long the files of a run of a report are kept",
		...retention(),
	}),
	backupS3Endpoint: optional({
		env: "TIDEMARK_BACKUP_S3_ENDPOINT",
		valid: "an http:// or https:// URL",
		about: "Where `backup --to s3://…` finds buckets that are not of AWS; ClickHouse itself connects to it",
		schema: url("http:", "https:"),
	}),
	backupS3Region: setting({
		env: "TIDEMARK_BACKUP_S3_REGION",
		default: "us-east-1",
		valid: "a region such as eu-central-1",
		about: "Region of a bucket of AWS for backups",
		schema: z.string().regex(/^[a-z0-9-]+$/),
	}),
	backupS3Key: optional({
		env: "TIDEMARK_BACKUP_S3_KEY",
		valid: "an access key id",
		about: "Access key id of the bucket for backups",
		schema: z.string().regex(/^\S+$/),
		secret: true,
	}),
	backupS3Secret: optional({
		env: "TIDEMARK_BACKUP_S3_SECRET",
		valid: "a secret access key",
		about: "Secret access key of it",
		schema: z.string().regex(/^\S+$/),
		secret: true,
	}),
	maxBodyBytes: setting({
		env: "TIDEMARK_MAX_BODY",
		default: "20MiB",
		valid: "a size of 1KiB to 512MiB, such as 20MiB",
		about: "Largest body of an ingest request, after decompression",
		// Above 512 MiB a body no longer fits into one string of V8.
		schema: bytes(2 ** 10, 2 ** 29),
	}),
	maxRecords: setting({
		env: "TIDEMARK_MAX_RECORDS",
		default: "10000",
		valid: "a whole number from 1 to 1000000",
		about: "Most records in an ingest request",
		schema: integer(1, 1_000_000),
	}),
	seriesLimit: setting({
		env: "TIDEMARK_SERIES_LIMIT",
		default: "1000000",
		valid: "a whole number of 1 or more",
		about: "Most metric series of a project; over it new series are rejected, known ones go on",
		schema: integer(1),
	}),
	contentCapture: setting({
		env: "TIDEMARK_CONTENT_CAPTURE",
		default: "off",
		valid: `one of ${CONTENT_CAPTURES.join(", ")}`,
		about:
			"Text of messages, prompts and answers. `off`: it is not stored, and nothing is read out of it. `analyse`: sentiment, language and " +
			"length are read out of it, and it is not stored. `store`: the same, and it is stored",
		schema: z.enum(CONTENT_CAPTURES) as z.ZodType<(typeof CONTENT_CAPTURES)[number], string>,
	}),
	journalBudgetBytes: setting({
		env: "TIDEMARK_JOURNAL_BUDGET",
		default: "5GiB",
		valid: "a size of 16MiB or more, such as 5GiB",
		about: "Disk for records that ClickHouse has not taken yet; over it writers get 503",
		schema: bytes(2 ** 24),
	}),
	engineMemoryBytes: setting({
		env: "TIDEMARK_ENGINE_MEMORY",
		default: "50%",
		valid: "a size of 256MiB or more, such as 4GiB, or a share of the machine's memory, such as 50%",
		about: "Memory of the embedded ClickHouse: a size or a share of the machine's",
		schema: z.string().transform((text, issues) => {
			const share = /^(\d{1,3})%$/.exec(text);
			const size = share
				? Math.floor((machineMemoryBytes() * Math.min(100, Number(share[1]))) / 100)
				: parseBytes(text);
			return size !== undefined && size >= 2 ** 28 ? size : invalid(issues);
		}),
	}),
	enginePort: setting({
		env: "TIDEMARK_ENGINE_PORT",
		default: "0",
		valid: "a port from 0 to 65535 (0 takes a free one)",
		about: "Loopback port on which the embedded ClickHouse serves ClickHouse's HTTP interface",
		schema: integer(0, 65_535),
	}),
	logLevel: setting({
		env: "TIDEMARK_LOG_LEVEL",
		default: "info",
		valid: `one of ${LOG_LEVELS.join(", ")}`,
		about: "Least severe level of the program's own log",
		schema: z.enum(LOG_LEVELS) as z.ZodType<(typeof LOG_LEVELS)[number], string>,
	}),
	rateLimit: setting({
		env: "TIDEMARK_RATE_LIMIT",
		default: "10000",
		valid: "a whole number of 1 or more",
		about: "Reads an hour for a key that has no limit of its own",
		schema: integer(1),
	}),
	streams: setting({
		env: "TIDEMARK_STREAMS",
		default: "10000",
		valid: "a whole number of 1 or more",
		about: "Most WebSocket and SSE streams that a process has open",
		schema: integer(1),
	}),
	streamsPerKey: setting({
		env: "TIDEMARK_STREAMS_PER_KEY",
		default: "2000",
		valid: "a whole number of 1 or more",
		about: "Most of them of one key",
		schema: integer(1),
	}),
	corsOrigins: optional({
		env: "TIDEMARK_CORS_ORIGINS",
		valid: "origins such as https://app.example.com, separated by commas, or *",
		about: "Origins whose pages may use the API from a browser, separated by commas, or `*`; unset, none",
		schema: z
			.string()
			.transform(splitList)
			.pipe(z.array(z.string().regex(/^(\*|https?:\/\/[^/\s?#@]+)$/)).min(1)) as z.ZodType<string[], string>,
	}),
	outboundAllow: optional({
		env: "TIDEMARK_OUTBOUND_ALLOW",
		valid:
			"private, ranges such as 10.0.0.0/8, addresses, and host names such as hooks.internal or *.internal, separated by commas",
		about:
			"What webhooks, mail, synthetic tests and buckets may reach beside the public internet: ranges (`10.0.0.0/8`), addresses, " +
			"host names (`hooks.internal`, `*.internal`), or `private` for private, loopback and carrier-grade NAT addresses; separated " +
			"by commas. The metadata service of a cloud is opened by its very address only",
		schema: z
			.string()
			.transform(splitList)
			.pipe(z.array(z.string().refine(isAllowEntry)).min(1)) as z.ZodType<string[], string>,
	}),
	publicUrl: optional({
		env: "TIDEMARK_PUBLIC_URL",
		valid: "an http:// or https:// URL",
		about: "Where people reach this server; links in messages lead there. Unset, the address that it listens on",
		schema: url("http:", "https:"),
	}),
	secretKeys: optional({
		env: "TIDEMARK_SECRET_KEY",
		valid: "texts of 16 characters or more without spaces, separated by commas",
		about:
			"Key that secrets of channels are encrypted with, where they rest. Of several, separated by commas, the first one encrypts " +
			"and all decrypt; a start of a worker, or `tidemark secrets reseal`, encrypts anew what the others did. Unset, one is made in the data " +
			"folder; several processes need the same ones",
		schema: z
			.string()
			.transform(splitList)
			.pipe(z.array(z.string().regex(/^\S{16,}$/)).min(1)) as z.ZodType<string[], string>,
		secret: true,
	}),
	smtpUrl: optional({
		env: "TIDEMARK_SMTP_URL",
		valid: "smtp:// or smtps://, with user and password if the server wants them",
		about:
			"Mail server of messages whose channel names none: `smtp://user:password@host:587`, `smtps://` for TLS from the start",
		schema: url("smtp:", "smtps:"),
		secret: true,
	}),
	mailFrom: setting({
		env: "TIDEMARK_MAIL_FROM",
		default: "Tidemark <tidemark@localhost>",
		valid: "a mail address, or a name and <address>",
		about: "Sender of mails",
		schema: z.string().regex(/^[^\r\n]*[^\s@<]+@[^\s@>]+>?$/),
	}),
	selfProject: setting({
		env: "TIDEMARK_SELF_PROJECT",
		default: "default",
		valid: "a project name of letters, digits, ., _ and -, or off",
		about:
			"Project that gets the records of Tidemark itself: its requests, its log, its host. Name another one, such as " +
			"`tidemark`, once the traffic of your own services goes to `default`; `off` sends none",
		schema: z.union([
			z.literal("off").transform(() => undefined),
			z.string().regex(/^[\w.-]{1,64}$/) as z.ZodType<string | undefined, string>,
		]),
	}),
	collectIntervalMs: setting({
		env: "TIDEMARK_COLLECT_INTERVAL",
		default: "10s",
		valid: "a duration from 1s to 1h, such as 10s, or off",
		about: "How often the host's CPU, memory, disks and network are measured; `off` does not",
		schema: z.union([z.literal("off").transform(() => undefined), duration(1000, 3_600_000)]),
	}),
};

/** The settings, checked. Durations in milliseconds, sizes in bytes; undefined is "not set" (for the collector: off). */
export type Settings = { [Name in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[Name]["schema"]> };
