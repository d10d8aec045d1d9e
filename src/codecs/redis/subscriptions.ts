/** Subscriptions of one upstream connection, as its confirmations tell them, and how those and messages are recognized. */
import { LengthLine, Type } from './wire.ts';

/** What a confirmation says. */
export interface Confirmation {
  /** The command that it confirms: `SUBSCRIBE`, `PUNSUBSCRIBE`… */
  readonly command: string;
  /** null: UNSUBSCRIBE of nothing. */
  readonly channel: string | null;
}

const CONFIRMATIONS = ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'];
const MESSAGES = ['message', 'pmessage', 'smessage'];

export class Subscriptions {
  readonly #channels = new Set<string>();
  readonly #patterns = new Set<string>();
  readonly #shardChannels = new Set<string>();

  get size(): number {
    return this.#channels.size + this.#patterns.size + this.#shardChannels.size;
  }

  /** Of the kind that the command is about. */
  count(command: string): number {
    return this.#set(command).size;
  }

  apply({ command, channel }: Confirmation): void {
    if (channel === null) return;
    if (command.includes('UNSUB')) this.#set(command).delete(channel);
    else this.#set(command).add(channel);
  }

  #set(command: string): Set<string> {
    switch (command) {
      case 'PSUBSCRIBE':
      case 'PUNSUBSCRIBE':
        return this.#patterns;
      case 'SSUBSCRIBE':
      case 'SUNSUBSCRIBE':
        return this.#shardChannels;
      default:
        return this.#channels;
    }
  }
}

/** Of an array or push: a confirmation, a message of a subscription, or null for anything else. */
export function confirmedSubscription(bytes: Buffer, from: number, to: number): Confirmation | 'message' | null {
  const length = new LengthLine();
  const first = length.read(bytes, from + 1, to);
  if (first < 0 || length.value < 3 || bytes[first] !== Type.Bulk) return null;
  const word = length.read(bytes, first + 1, to);
  if (word < 0 || length.value < 0 || length.value > 16) return null;
  const kind = bytes.toString('latin1', word, word + length.value);
  if (MESSAGES.includes(kind)) return 'message';
  const command = kind.toUpperCase();
  if (!CONFIRMATIONS.includes(command)) return null;
  const second = word + length.value + 2;
  if (bytes[second] !== Type.Bulk) return { command, channel: null };
  const channel = length.read(bytes, second + 1, to);
  if (channel < 0 || length.value < 0) return { command, channel: null };
  return { command, channel: bytes.toString('latin1', channel, channel + length.value) };
}

/** `+<seconds>.<microseconds> [<db> <address>] …`: what MONITOR shows. */
export function isMonitorLine(bytes: Buffer, from: number, to: number): boolean {
  return (
    bytes[from] === Type.Simple && /^\d+\.\d+ \[/.test(bytes.toString('latin1', from + 1, Math.min(to, from + 48)))
  );
}
