/** Sends one message over one channel, once; what came of it is a value, whatever it is. */
import type { Socket } from "node:net";
import nodemailer from "nodemailer";
import { SealError } from "../../schema/secret-box.ts";
import { OutboundError, OutboundRefused } from "../outbound/errors.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { CHANNELS } from "./channels/index.ts";
import type { ChannelOf, HttpChannel, Mail, Target } from "./channels/types.ts";
import type { Message } from "./message.ts";

/** What came of an attempt. Nothing in it is a secret: paths of addresses, headers and keys stay out. */
export type Outcome =
	| { readonly outcome: "sent"; readonly status_code: number; readonly detail: string }
	| {
			/** `failed`: trying again is of no use before the channel is another one. */
			readonly outcome: "retry" | "failed";
			readonly status_code: number;
			readonly detail: string;
			/** The other side asked for so long a pause. */
			readonly retry_after_ms?: number;
	  };

export interface SenderOptions {
	readonly outbound: Outbound;
	/** Of mails whose channel names no server. */
	readonly smtpUrl?: string | undefined;
	readonly mailFrom: string;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** Of a whole exchange with a mail server; with the connection it stays under what counts as interrupted. */
const MAIL_MS = 20_000;
/** They pass: overload, conflict with something that ends, not yet. */
const PASSING = new Set([408, 409, 425, 429]);

/** @param beforeSend waited for when there is a connection, before anything is sent */
export async function send(
	message: Message,
	target: Target,
	options: SenderOptions,
	beforeSend: () => Promise<void>,
): Promise<Outcome> {
	try {
		if (target.type === "email")
			return await sendMail(CHANNELS.email.mail(message, target), target, options, beforeSend);
		// The registry's type says that a channel takes the targets of its own type.
		const channel = CHANNELS[target.type] as HttpChannel<typeof target.type>;
		const at = options.now();
		const { url, headers, body } = channel.request(message, target as ChannelOf<never>, at);
		const answer = await options.outbound.request({ url, method: "POST", headers, body, beforeSend });
		return judge(answer.status, answer.headers, channel.refusal?.(answer.body.toString("utf8")), at);
	} catch (error) {
		if (error instanceof OutboundRefused || error instanceof SealError) return no("failed", 0, error.message);
		if (error instanceof OutboundError) return no("retry", 0, error.message);
		throw error;
	}
}

/** @param at milliseconds since the epoch */
export function judge(
	status: number,
	headers: Readonly<Record<string, string>>,
	refusal: string | undefined,
	at: number,
): Outcome {
	if (status >= 200 && status < 300) {
		if (refusal === undefined) return { outcome: "sent", status_code: status, detail: "" };
		return no("retry", status, refusal);
	}
	const pause = retryAfter(headers["retry-after"], at);
	const wait = pause === undefined ? {} : { retry_after_ms: pause };
	if (status >= 500 || PASSING.has(status)) return { ...no("retry", status, `answered ${status}`), ...wait };
	if (status >= 300 && status < 400) return no("failed", status, `answered ${status}: redirects are not followed`);
	return no("failed", status, `answered ${status}`);
}

function no(outcome: "retry" | "failed", status_code: number, detail: string) {
	return { outcome, status_code, detail };
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfter(text: string | undefined, at: number): number | undefined {
	if (text === undefined) return undefined;
	if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
	const date = Date.parse(text);
	return Number.isNaN(date) ? undefined : Math.max(0, date - at);
}

interface SmtpError extends Error {
	readonly code?: string;
	readonly responseCode?: number;
}

async function sendMail(
	mail: Mail,
	target: ChannelOf<"email">,
	options: SenderOptions,
	beforeSend: () => Promise<void>,
): Promise<Outcome> {
	const url = target.smtp_url ?? options.smtpUrl;
	if (url === undefined)
		return no("failed", 0, "no mail server: TIDEMARK_SMTP_URL is not set, nor the channel's smtp_url");
	const { protocol, hostname, port, username, password } = new URL(url);
	const from = target.from ?? options.mailFrom;
	const domain = /@([^>\s]+)>?$/.exec(from)?.[1] ?? "tidemark";
	// Of the door or of `beforeSend`: nothing was sent, and it says more than what becomes of it in the client.
	let early: { readonly error: unknown } | undefined;
	let opened: Socket | undefined;
	const transport = nodemailer.createTransport({
		...{ host: hostname.replace(/^\[|\]$/g, ""), secure: protocol === "smtps:" },
		port: port === "" ? (protocol === "smtps:" ? 465 : 587) : Number(port),
		...(username === "" ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
		// A login is not sent in the clear to a server that could do better.
		...{ requireTLS: protocol === "smtp:" && username !== "" && !isLoopback(hostname) },
		...{ greetingTimeout: MAIL_MS, socketTimeout: MAIL_MS },
		...{ disableFileAccess: true, disableUrlAccess: true },
		getSocket: (to: { host?: string; port?: number }, done: (error: Error | null, socket?: object) => void) => {
			const connecting = async () => {
				const { socket } = await options.outbound.connect({ host: to.host!, port: Number(to.port) });
				opened = socket;
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
	// Each answer in time is not the whole in time.
	const deadline = setTimeout(() => opened?.destroy(), MAIL_MS);
	try {
		const thread = `<${mail.thread}@${domain}>`;
		await transport.sendMail({
			...{ from, to: [...mail.to], subject: mail.subject, text: mail.text, html: mail.html },
			...{ messageId: `<${mail.id}@${domain}>`, headers: { ...mail.headers } },
			...(mail.thread === mail.id ? {} : { references: [thread], inReplyTo: thread }),
		});
		return { outcome: "sent", status_code: 250, detail: "" };
	} catch (error) {
		if (early) throw early.error;
		const { code = "", responseCode = 0 } = error as SmtpError;
		// 4yz passes, 5yz does not (RFC 5321, 4.2.1). What the server said may repeat a login, so it is not kept.
		const outcome = responseCode >= 500 ? "failed" : "retry";
		return no(
			outcome,
			responseCode,
			`the mail server ${responseCode > 0 ? `answered ${responseCode}` : "failed"} ${code}`.trim(),
		);
	} finally {
		clearTimeout(deadline);
		opened?.destroy();
		transport.close();
	}
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host.startsWith("127.") || host === "[::1]";
}
