/** Claim: why a caller has a connection of its own, as far as it has said. */

export class Claim {
  watching = false;
  subscribed = false;
  /** Until RESET. */
  stays = false;
  /** Of the command that took the connection first. */
  key: string | undefined;
  /** The command that took it last. */
  lastBindId = 0;

  get bound(): boolean {
    return this.watching || this.subscribed || this.stays;
  }

  copy(): Claim {
    return Object.assign(new Claim(), this);
  }

  /** RESET ends it all; that it was taken, and by which command, stays known. */
  drop(): void {
    this.watching = false;
    this.subscribed = false;
    this.stays = false;
    this.key = undefined;
  }
}
