/** What a mailbox holds before a message is refused. */
export interface MailboxBounds {
  readonly messages: number;
  readonly bytes: number;
}

/** Where a module is not known here, and so its own bounds are not. */
export const DEFAULT_MAILBOX: MailboxBounds = { messages: 10_000, bytes: 64 * 1024 * 1024 };
