/** Sends one mail through the outbound door, once. */
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import nodemailer from "nodemailer";
import type { ChannelOf, Mail } from "./channels/types.ts";
import { no, type Outcome } from "./outcome.ts";
import type { SenderOptions } from "./send.ts";

/** Of a whole exchange with a mail server; with the connection it stays under what counts as an interrupted notice. */
const MAIL_MS = 20_000;
const NO_ANSWER = "the mail server took it and gave no answer, it may have arrived";

export interface MailLimits {
	/** Of the whole exchange. A mail with attachments takes its time, and so does a server that looks into them. */
	readonly limit_ms?: number | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** `unsure`: the whole mail was handed over and no answer came, so that it may have arrived. */
export type MailOutcome =
	| Outcome
	| { readonly outcome: "unsure"; readonly status_code: number; readonly detail: string };

interface SmtpError extends Error {
	readonly code?: string;
	readonly responseCode?: number;
}

/** @param beforeSend waited for when there is a connection, before anything is sent */
export async function sendMail(
	mail: Mail,
	target: Pick<ChannelOf<"email">, "smtp_url" | "from">,
	options: SenderOptions,
	beforeSend: () => Promise<void>,
	{ limit_ms = MAIL_MS, signal }: MailLimits = {},
): Promise<MailOutcome> {
	const url = target.smtp_url ?? options.smtpUrl;
	if (url === undefined)
		return no("failed", 0, "no mail server: TIDEMARK_SMTP_URL is not set, nor the channel's smtp_url");
	const { protocol, hostname, port, username, password } = new URL(url);
	const from = target.from ?? options.mailFrom;
	const domain = /@([^>\s]+)>?$/.exec(from)?.[1] ?? "tidemark";
	// Of the door or of `beforeSend`: nothing was sent, and it says more than what becomes of it in the client.
	let early: { readonly error: unknown } | undefined;
	let opened: Socket | undefined;
	let isHandedOver = false;
	// Each answer in time is not the whole in time.
	const stop = () => void opened?.destroy();
	const deadline = setTimeout(stop, limit_ms);
	signal?.addEventListener("abort", stop);
	const transport = nodemailer.createTransport({
		...{ host: hostname.replace(/^\[|\]$/g, ""), secure: protocol === "smtps:" },
		port: port === "" ? (protocol === "smtps:" ? 465 : 587) : Number(port),
		...(username === "" ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
		// A login is not sent in the clear to a server that could do better.
		...{ requireTLS: protocol === "smtp:" && username !== "" && !isLoopback(hostname) },
		...{ greetingTimeout: MAIL_MS, socketTimeout: limit_ms },
		...{ disableFileAccess: true, disableUrlAccess: true },
		getSocket: (to: { host?: string; port?: number }, done: (error: Error | null, socket?: object) => void) => {
			const connecting = async () => {
				const { socket } = await options.outbound.connect({ host: to.host!, port: Number(to.port) });
				opened = socket;
				signal?.throwIfAborted();
				await beforeSend();
				return socket;
			};
			connecting().then(
				(socket) => done(null, { connection: socket }),
				(error) => {
					early = { error };
					done(error);
				},
			);
		},
	} as object);
	transport.use("stream", ({ message }, done) => {
		// What ends it is yet to go, but nobody can take that back.
		const watch = (ended: () => void) => {
			isHandedOver = true;
			ended();
		};
		message.transform(() => new PassThrough({ flush: watch }));
		done();
	});
	try {
		const thread = `<${mail.thread}@${domain}>`;
		await transport.sendMail({
			...{ from, to: [...mail.to], subject: mail.subject, text: mail.text, html: mail.html },
			...{ messageId: `<${mail.id}@${domain}>`, headers: { ...mail.headers } },
			...(mail.attachments === undefined ? {} : { attachments: mail.attachments.map((one) => ({ ...one })) }),
			...(mail.thread === mail.id ? {} : { references: [thread], inReplyTo: thread }),
		});
		return { outcome: "sent", status_code: 250, detail: "" };
	} catch (error) {
		if (early) throw early.error;
		const { code = "", responseCode = 0 } = error as SmtpError;
		if (responseCode === 0 && isHandedOver) return { outcome: "unsure", status_code: 0, detail: NO_ANSWER };
		// 4yz passes, 5yz does not (RFC 5321, 4.2.1). What the server said may repeat a login, so it is not kept.
		const outcome = responseCode >= 500 ? "failed" : "retry";
		return no(
			outcome,
			responseCode,
			`the mail server ${responseCode > 0 ? `answered ${responseCode}` : "failed"} ${code}`.trim(),
		);
	} finally {
		clearTimeout(deadline);
		signal?.removeEventListener("abort", stop);
		opened?.destroy();
		transport.close();
	}
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host.startsWith("127.") || host === "[::1]";
}
