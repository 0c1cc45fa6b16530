/** What answers show of notifications: everything but what opens a door. The one place where secrets leave a stored rule. */
import { MASK, type Notification } from "../../../schema/wire/index.ts";

export function withoutSecrets(notification: Notification): { type: string; [member: string]: unknown } {
	switch (notification.type) {
		case "webhook": {
			const { headers, url, ...rest } = notification;
			return {
				...{ ...rest, url: hostOf(url) },
				...(headers === undefined
					? {}
					: { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, MASK])) }),
			};
		}
		case "slack":
		case "teams":
			return { ...notification, webhook_url: hostOf(notification.webhook_url) };
		case "pagerduty":
			return { ...notification, integration_key: MASK };
		case "email":
		case "contact":
			return notification;
	}
}

/** Paths and queries of such addresses are their passwords. */
function hostOf(url: string): string {
	return `${new URL(url).origin}/${MASK}`;
}
