/** Transaction: what a caller said between MULTI and EXEC. Its commands carry it, so that one that fails late still breaks it. */

export class Transaction {
  /** MULTI is answered here and goes upstream with the first command behind it. */
  sent = false;
  /** A command was not queued: EXEC must not run the rest. */
  broken = false;
  /** Commands that were queued upstream, and which of them will select a database. */
  queued = 0;
  readonly selects: { readonly index: number; readonly database: number }[] = [];
}
