/** Sends one message over one channel, once; what came of it is a value, whatever it is. */
import { SealError } from "../../schema/secret-box.ts";
import { OutboundError, OutboundRefused } from "../outbound/errors.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { CHANNELS } from "./channels/index.ts";
import type { ChannelOf, HttpChannel, Target } from "./channels/types.ts";
import { sendMail } from "./mail.ts";
import type { Message } from "./message.ts";
import { judge, no, type Outcome } from "./outcome.ts";

export interface SenderOptions {
	readonly outbound: Outbound;
	/** Of mails whose channel names no server. */
	readonly smtpUrl?: string | undefined;
	readonly mailFrom: string;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** @param beforeSend waited for when there is a connection, before anything is sent */
export async function send(
	message: Message,
	target: Target,
	options: SenderOptions,
	beforeSend: () => Promise<void>,
): Promise<Outcome> {
	try {
		if (target.type === "email") {
			const sent = await sendMail(CHANNELS.email.mail(message, target), target, options, beforeSend);
			// Somebody must know of it: the same mail again, by its Message-ID, rather than none.
			return sent.outcome === "unsure" ? no("retry", 0, sent.detail) : sent;
		}
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
