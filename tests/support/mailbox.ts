/** A mail server on loopback that keeps what it gets. */
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

export interface ReceivedMail {
	readonly from: string;
	readonly to: readonly string[];
	/** As it came, head and body. */
	readonly raw: string;
	/** Headers by lower-case name, unfolded. */
	readonly headers: Readonly<Record<string, string>>;
}

export interface Mailbox {
	readonly url: string;
	readonly mails: ReceivedMail[];
	/** Answers the next mails with this code instead of taking them. */
	refuseWith(code: number | undefined): void;
	/** Takes mails to this address whole, and never answers. */
	keepSilentTo(address: string): void;
	stop(): Promise<void>;
}

export async function mailServer(): Promise<Mailbox> {
	const mails: ReceivedMail[] = [];
	let refusal: number | undefined;
	let silent: string | undefined;
	const server = new SMTPServer({
		...{ disabledCommands: ["STARTTLS"], authOptional: true, logger: false },
		onAuth: ({ username, password }, _session, done) =>
			username === "user" && password === "pa ss" ? done(null, { user: username }) : done(new Error("wrong login")),
		onData(stream, session, done) {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				if (refusal !== undefined) return done(Object.assign(new Error("no"), { responseCode: refusal }));
				const raw = Buffer.concat(chunks).toString("utf8");
				const { mailFrom, rcptTo } = session.envelope;
				mails.push({
					...{ raw, headers: headersOf(raw), to: rcptTo.map(({ address }) => address) },
					from: mailFrom === false ? "" : mailFrom.address,
				});
				if (mails.at(-1)!.to[0] !== silent) done();
			});
		},
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.server.address() as AddressInfo;
	return {
		...{ url: `smtp://127.0.0.1:${port}`, mails },
		refuseWith(code) {
			refusal = code;
		},
		keepSilentTo(address) {
			silent = address;
		},
		stop: () => new Promise((resolve) => server.close(() => resolve())),
	};
}

function headersOf(raw: string): Record<string, string> {
	const [head = ""] = raw.split("\r\n\r\n");
	const lines = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
	return Object.fromEntries(
		lines.map((line) => [line.split(":")[0]!.toLowerCase(), line.slice(line.indexOf(":") + 2)]),
	);
}
