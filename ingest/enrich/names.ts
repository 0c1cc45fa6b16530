/** Which properties of an event carry what a person wrote, or where a person is: their values are not stored as they come. */

/** Names under which the address of a person's machine comes, of an event of any name. */
const ADDRESSES: ReadonlySet<string> = new Set([
	"ip",
	"$ip",
	"ip_address",
	"client_ip",
	"client.ip",
	"client.address",
	"context.ip",
	"http.client_ip",
]);

export function isAddress(property: string): boolean {
	return ADDRESSES.has(property);
}

export const MESSAGE_EVENT = "chat.message.sent";
export const INFERENCE_EVENT = "model_inference_completed";

/** Events whose text is content. */
export function hasContent(event: string): boolean {
	return event === MESSAGE_EVENT || event === INFERENCE_EVENT;
}

const CONTENT =
	/^(content|text|messages?|prompt|input|output|response|completion|gen_ai\.(prompt|completion|system_instructions|(input|output)\.messages)|\$ai_(input|output|output_choices))(\.|$)/;

/** Whether a property of such an event holds the text itself; members of an object that does are named with a dot. */
export function isContent(property: string): boolean {
	return CONTENT.test(property);
}
