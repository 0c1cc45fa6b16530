/** What makes a customer healthy or not (of each state, the first rule that holds is the reason), and what a figure of customers needs. */
export const CUSTOMER_RULES = {
	churning: { cancel_scheduled: true, no_activity_days: 30 },
	at_risk: {
		payment_failed: true,
		open_escalation: true,
		/** Mean rating of the window at most, 1 to 5. */
		low_rating: 2,
		/** Share of the events of as many days before that is gone. */
		usage_drop: { days: 28, share: 0.5 },
	},
	/** Share of the calendar days on which an account was active: at least. */
	engagement: { days: 28, high: 0.5, medium: 0.1 },
	/** Customers at the start of the month of a lifetime value, ratings of a satisfaction: at least. */
	minimum: { lifetime_value_customers: 30, satisfaction_ratings: 5 },
} as const;
