/** What a type of channel is. */
import type { Channel } from "../../../schema/wire/index.ts";
import type { Message, NoticeKind } from "../message.ts";

export type ChannelType = Channel["type"];
export type ChannelOf<T extends ChannelType> = Extract<Channel, { type: T }>;

/** Where one message goes, with its secrets opened. */
export type Target = Channel;

/** A request as it leaves through the outbound door. */
export interface HttpRequest {
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
}

export interface Mail {
	readonly to: readonly string[];
	readonly subject: string;
	readonly text: string;
	readonly html: string;
	readonly headers: Readonly<Record<string, string>>;
	/** Without the host part. */
	readonly id: string;
	/** Of the firing: mail programs show one conversation for it. */
	readonly thread: string;
	readonly attachments?: readonly Attachment[];
}

export interface Attachment {
	readonly filename: string;
	readonly content: Buffer;
	readonly contentType: string;
}

interface Kinds {
	/** Reasons for which it is told anything. */
	readonly kinds: readonly NoticeKind[];
	/** Whether one message can be about many firings. */
	readonly groups: boolean;
	/** Whether the other side finds a message that comes twice again, so that nobody is told twice. */
	readonly isIdempotent: boolean;
}

export interface HttpChannel<T extends ChannelType> extends Kinds {
	readonly form: "http";
	/** @param at of this attempt, milliseconds since the epoch */
	request(message: Message, target: ChannelOf<T>, at: number): HttpRequest;
	/** Why an answer with a status of 200 is none; undefined when all is well. */
	refusal?(body: string): string | undefined;
}

export interface MailChannel extends Kinds {
	readonly form: "mail";
	mail(message: Message, target: ChannelOf<"email">): Mail;
}
