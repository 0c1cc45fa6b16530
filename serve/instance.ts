/** What the settings say of the server itself, as evidence for the controls of compliance. */

import type { Connection, Instance } from "../query/compliance/finding.ts";
import { backupRuns } from "../schema/backup-runs.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { Settings } from "../settings.ts";
import { retentionOf } from "../storage.ts";

/** Of TLS, by the scheme of an address. */
const ENCRYPTED = new Set(["https:", "rediss:", "smtps:"]);
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export function instanceOf(settings: Settings, clickhouse: ClickHouse): Instance {
	const { publicUrl, clickhouseUrl, redisUrl, smtpUrl } = settings;
	const connections = Object.entries({
		"public address": publicUrl,
		ClickHouse: clickhouseUrl,
		Redis: redisUrl,
		"mail server": smtpUrl,
	}).flatMap(([name, url]) => (url === undefined ? [] : [connection(name, url)]));
	return {
		connections,
		public_url_known: publicUrl !== undefined,
		secret_key_set: settings.secretKeys !== undefined,
		retention: retentionOf(settings),
		backups: (span) => backupRuns(clickhouse, span),
	};
}

/** Without what of the address is secret. */
function connection(name: string, text: string): Connection {
	const url = new URL(text);
	return {
		...{ name, address: `${url.protocol}//${url.host}` },
		...{ encrypted: ENCRYPTED.has(url.protocol), local: LOOPBACK.test(url.hostname) },
	};
}
