/**
 * CallerSession: what one caller has told its connection. Decides for each command whether it is passed on as it is, takes a
 * connection of its own, is answered here or changes what later commands mean. It knows no wire but the words of commands.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Flag } from '../../metaprotocol/message.ts';
import type { CommandArguments } from './arguments.ts';
import { Claim } from './claim.ts';
import { Action, type Command } from './commands.ts';
import { type ConnectionState, changeState, FIRST_STATE } from './connection-state.ts';
import { streamOptions } from './keys.ts';
import { Expect, ownAnswer, type RedisResponse, type RequestExtra } from './message.ts';
import type { RedisOptions } from './options.ts';
import { errorAnswer, helloAnswer } from './reply.ts';
import { elementOffsets } from './reply-meter.ts';
import { Transaction } from './transaction.ts';
import { bulk, commandBytes, Type } from './wire.ts';

/** What becomes of one command. */
export interface Plan {
  readonly flags: number;
  readonly state: ConnectionState;
  readonly extra: RequestExtra | null;
  readonly answer: RedisResponse | null;
  /** Sent instead of the caller's own bytes. */
  readonly bytes: Buffer | null;
  /** The connection ends behind the answer. */
  readonly last: boolean;
}

const MULTI = commandBytes(['MULTI']);
const DISCARD = commandBytes(['DISCARD']);
const REPLY_ON = commandBytes(['CLIENT', 'REPLY', 'ON']);
export const EXEC_ABORT = 'EXECABORT Transaction discarded because of previous errors.';
/** Keep their meaning in the connection that they are said on. */
const STAYING_CLIENT_WORDS = ['ID', 'TRACKING', 'TRACKINGINFO', 'CACHING', 'GETREDIR', 'NO-EVICT', 'NO-TOUCH'];

export class CallerSession {
  readonly #options: RedisOptions;
  #state = FIRST_STATE;
  #name = '';
  /** No password is asked for, or the caller said it. */
  #known: boolean;
  #transaction: Transaction | null = null;
  #claim = new Claim();
  /** What was before the command that last took the connection, which may reach nobody. */
  #before: { readonly claim: Claim; readonly transaction: Transaction | null } | null = null;
  #replies: 'on' | 'off' | 'skip' = 'on';
  /** The command at hand is the one that SKIP was about. */
  #skipped = false;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.#known = options.downstreamPassword === '';
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Its limits are those of somebody who has not said a password. */
  get stranger(): boolean {
    return !this.#known;
  }

  /** A command that is merely to be passed on needs no plan now. */
  get plain(): boolean {
    return this.#transaction === null && this.#known && this.#replies === 'on';
  }

  /** Shall the next command's answer be kept from the caller? */
  takeMuted(): boolean {
    this.#skipped = this.#replies === 'skip';
    if (this.#replies === 'on') return false;
    if (this.#skipped) this.#replies = 'on';
    return true;
  }

  /** `id`: the one that the command will have. `key`: its first key, if it has one. */
  plan(id: number, command: Command, words: CommandArguments, key: () => string | undefined): Plan {
    const { action } = command;
    if (!this.#known && action !== Action.Auth && action !== Action.Hello && action !== Action.Quit) {
      if (action !== Action.Reset) return this.#error('NOAUTH Authentication required.');
    }
    if (action === Action.Quit) return { ...this.#own('+OK\r\n'), last: true };
    const transaction = this.#transaction;
    if (transaction !== null) return this.#inMulti(transaction, id, command, words, key);
    switch (action) {
      // On a connection of its own the caller learns by these that all that the server pushed before has come.
      case Action.Ping:
        if (this.#claim.bound || words.count > 2) break;
        return this.#own(words.count === 1 ? '+PONG\r\n' : bulk(words.bytes(1)));
      case Action.Echo:
        if (this.#claim.bound) break;
        return words.count === 2 ? this.#own(bulk(words.bytes(1))) : this.#forward();
      case Action.Reset:
        return this.#reset(words);
      case Action.Auth:
        return this.#auth(words);
      case Action.Hello:
        return this.#hello(words);
      case Action.Select:
        return this.#select(words);
      case Action.Client:
        return this.#client(id, words);
      case Action.Multi:
        return this.#startMulti(id, words);
      // Without a word of what, the server refuses both.
      case Action.Watch:
        if (words.count === 1) break;
        this.#takeConnection(id, key());
        this.#claim.watching = true;
        return this.#forward(Flag.Bind, { bindId: id, mayUnbind: !this.#claim.subscribed && !this.#claim.stays });
      case Action.Unwatch:
        if (!this.#claim.watching) break;
        this.#claim.watching = false;
        return this.#forward(this.#claim.bound ? 0 : Flag.Unbind, { key: this.#claim.key });
      case Action.Subscribe:
        if (words.count === 1) break;
        this.#takeConnection(id, key());
        this.#claim.subscribed = true;
        return this.#forward(Flag.Bind, { ...this.#confirmations(words.count - 1), bindId: id });
      case Action.Unsubscribe:
        return this.#forward(0, { ...this.#confirmations(words.count - 1), key: this.#claim.key });
      case Action.BlockIfAsked:
        if (!streamOptions(words).blocks) break;
        return this.#block(id, true);
      case Action.Block:
        return this.#block(id, true);
      case Action.Script:
        return this.#block(id, false);
      case Action.Replicate:
        this.#takeConnection(id, undefined);
        this.#claim.stays = true;
        return this.#forward(Flag.Bind | Flag.Tunnel | Flag.Hold, { bindId: id, expect: Expect.Stream });
      case Action.Stay:
      case Action.Monitor:
        return this.#stay(id, key(), action === Action.Monitor ? { expect: Expect.Monitor } : {});
    }
    return this.#forward(0, this.#claim.bound && this.#claim.key !== undefined ? { key: this.#claim.key } : null);
  }

  /** The command that was to take a connection reached nobody, so nothing is bound for it. */
  onNotBound(id: number): void {
    const before = this.#before;
    if (id !== this.#claim.lastBindId || before === null) return;
    this.#before = null;
    this.#claim = before.claim;
    // It was MULTI itself.
    if (before.transaction === null) this.#transaction = null;
  }

  /** An answer that ended the binding was written, and nothing took the connection since. */
  onUnbound(id: number): void {
    const claim = this.#claim;
    if (id < claim.lastBindId) return;
    claim.watching = false;
    claim.subscribed = false;
    if (!claim.stays) claim.key = undefined;
  }

  /** A subscriber of RESP2: the server refuses nearly everything, unless an UNSUBSCRIBE is on its way. */
  get #listens(): boolean {
    return this.#claim.subscribed && this.#state.resp === 2;
  }

  #forward(flags = 0, extra: RequestExtra | null = null): Plan {
    return { flags: Flag.End | flags, state: this.#state, extra, answer: null, bytes: null, last: false };
  }

  #own(answer: string | Buffer | RedisResponse): Plan {
    const response = typeof answer === 'string' || Buffer.isBuffer(answer) ? ownAnswer(answer) : answer;
    return { ...this.#forward(), answer: response };
  }

  #error(text: string): Plan {
    return this.#own(errorAnswer(text));
  }

  #takeConnection(id: number, key: string | undefined): void {
    const claim = this.#claim;
    this.#before = { claim: claim.copy(), transaction: this.#transaction };
    claim.lastBindId = id;
    if (!claim.bound || claim.key === undefined) claim.key = key;
  }

  #confirmations(count: number): RequestExtra {
    return {
      expect: Expect.Confirmations,
      confirmations: count,
      mayUnbind: !this.#claim.watching && !this.#claim.stays,
    };
  }

  /** Has a connection of its own until it is answered. `takes`: what it takes would be lost without its caller. */
  #block(id: number, takes: boolean): Plan {
    if (this.#claim.bound) return this.#forward(0, { blocks: takes });
    this.#claim.lastBindId = id;
    return this.#forward(Flag.Bind | Flag.Unbind, { blocks: takes });
  }

  #stay(id: number, key: string | undefined, extra: RequestExtra): Plan {
    this.#takeConnection(id, key);
    this.#claim.stays = true;
    return this.#forward(Flag.Bind, { ...extra, bindId: id });
  }

  // Transactions

  #startMulti(id: number, words: CommandArguments): Plan {
    if (words.count !== 1) return this.#forward();
    const transaction = new Transaction();
    if (!this.#claim.bound) {
      this.#transaction = transaction;
      return this.#own('+OK\r\n');
    }
    transaction.sent = true;
    const key = this.#claim.key;
    this.#takeConnection(id, key);
    if (!this.#listens) {
      this.#transaction = transaction;
      return this.#forward(Flag.Bind, { key, bindId: id });
    }
    const effect = (): void => {
      this.#transaction = transaction;
    };
    return this.#forward(Flag.Bind | Flag.Hold, {
      key,
      effect,
      mayUnbind: !this.#claim.watching && !this.#claim.stays,
    });
  }

  #inMulti(
    transaction: Transaction,
    id: number,
    command: Command,
    words: CommandArguments,
    key: () => string | undefined,
  ): Plan {
    const { action } = command;
    if ((action === Action.Exec || action === Action.Discard) && words.count === 1) {
      return this.#endMulti(transaction, action);
    }
    if (action === Action.Reset) return this.#reset(words);
    const refused = refusedInMulti(command, words);
    if (refused !== null) {
      transaction.broken = true;
      return this.#error(`ERR ${refused} inside MULTI is not supported by this proxy`);
    }
    // These are answered at once.
    const isQueued = action !== Action.Multi && action !== Action.Watch;
    // Its first command reached nobody, and EXEC will say so: the others have nowhere to go, nor need to.
    if (!transaction.sent && transaction.broken && isQueued) return this.#own('+QUEUED\r\n');
    if (action === Action.Select && words.count === 2 && words.natural(1) >= 0) {
      transaction.selects.push({ index: transaction.queued, database: words.natural(1) });
    }
    if (isQueued) transaction.queued++;
    const taints = action === Action.Select || action === Action.Client;
    if (transaction.sent) return this.#forward(0, { key: this.#claim.key, taints, transaction, needsBinding: true });
    transaction.sent = true;
    this.#takeConnection(id, key());
    return this.#forward(Flag.Bind, { bindId: id, prefix: MULTI, taints, transaction });
  }

  #endMulti(transaction: Transaction, action: Action): Plan {
    const { sent, broken, selects } = transaction;
    this.#transaction = null;
    if (!sent) {
      if (action === Action.Discard) return this.#own('+OK\r\n');
      return broken ? this.#error(EXEC_ABORT) : this.#own('*0\r\n');
    }
    this.#claim.watching = false;
    const unbind = this.#claim.bound ? 0 : Flag.Unbind;
    const extra = { key: this.#claim.key, transaction, needsBinding: true };
    if (broken) {
      const substitute = action === Action.Exec ? errorAnswer(EXEC_ABORT) : ownAnswer('+OK\r\n');
      return { ...this.#forward(unbind, { ...extra, substitute }), bytes: DISCARD };
    }
    if (action === Action.Discard || selects.length === 0) return this.#forward(unbind, extra);
    const effect = (answer: RedisResponse): void => this.#onSelectsRun(selects, answer);
    return this.#forward(unbind | Flag.Hold, { ...extra, effect });
  }

  #onSelectsRun(selects: readonly { index: number; database: number }[], answer: RedisResponse): void {
    const { bytes, from, to, valueAt } = answer;
    const offsets = elementOffsets(bytes, from + valueAt, to);
    for (const { index, database } of selects) {
      const at = offsets?.[index];
      if (at !== undefined && at < to && bytes[at] === Type.Simple)
        this.#state = changeState(this.#state, { database });
    }
  }

  // State of the connection

  #select(words: CommandArguments): Plan {
    const database = words.count === 2 ? words.natural(1) : -1;
    if (database === -1 || database === this.#state.database) return this.#forward();
    return this.#change(changeState(this.#state, { database }), { unrouted: ownAnswer('+OK\r\n') });
  }

  /** The command goes to a connection that is in the new state, or to the caller's own; if it fails, nothing changed. */
  #change(
    next: ConnectionState,
    extra: RequestExtra,
    bytes: Buffer | null = null,
    onDone: () => void = () => {},
  ): Plan {
    const effect = (): void => {
      this.#state = next;
      onDone();
    };
    return {
      ...this.#forward(Flag.Hold, {
        ...(this.#claim.bound ? {} : extra),
        effect,
        taints: this.#claim.bound,
        key: this.#claim.key,
      }),
      state: next,
      bytes,
    };
  }

  #auth(words: CommandArguments): Plan {
    if (words.count !== 2 && words.count !== 3) return this.#forward();
    const user = words.count === 3 ? words.text(1) : '';
    const password = words.text(words.count - 1);
    const refusal = this.#check(user, password);
    if (refusal === null) return this.#change(changeState(this.#state, { user, password }), {});
    if (refusal !== '') return this.#error(refusal);
    this.#known = true;
    return this.#own('+OK\r\n');
  }

  /** null: it is the upstream's to check; '': right; else the error. */
  #check(user: string, password: string): string | null {
    const { downstreamUsername, downstreamPassword } = this.#options;
    if (downstreamPassword === '') return null;
    const rightUser =
      downstreamUsername === '' ? user === '' || user === 'default' : equalSecrets(user, downstreamUsername);
    if (rightUser && equalSecrets(password, downstreamPassword)) return '';
    return 'WRONGPASS invalid username-password pair or user is disabled.';
  }

  #hello(words: CommandArguments): Plan {
    if (words.count === 1) return this.#known ? this.#forward() : this.#error('NOAUTH Authentication required.');
    const version = words.natural(1);
    if (version === -1) return this.#error('ERR Protocol version is not an integer or out of range');
    if (version !== 2 && version !== 3) return this.#error('NOPROTO unsupported protocol version');
    let auth: readonly [user: string, password: string] | null = null;
    let name: string | null = null;
    for (let at = 2; at < words.count; ) {
      const option = words.word(at);
      if (option === 'AUTH' && at + 2 < words.count) {
        auth = [words.text(at + 1), words.text(at + 2)];
        at += 3;
      } else if (option === 'SETNAME' && at + 1 < words.count) {
        name = words.text(at + 1);
        if (!isClientName(name)) return this.#error(BAD_NAME);
        at += 2;
      } else {
        return this.#error(`ERR Syntax error in HELLO option '${words.text(at)}'`);
      }
    }
    let next = changeState(this.#state, { resp: version });
    const said = ['HELLO', `${version}`];
    if (auth !== null) {
      const refusal = this.#check(...auth);
      if (refusal === null) {
        const [user, password] = auth;
        next = changeState(next, { user, password });
        // Not every connection has said it: behind a command that took one, the caller is still there.
        said.push('AUTH', user, password);
      } else if (refusal !== '') return this.#error(refusal);
      else this.#known = true;
    }
    if (!this.#known) {
      return this.#error(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
    }
    // Only a server can check what it is said.
    const extra = said.length > 2 ? {} : { unrouted: helloAnswer(version) };
    // The name stays here.
    return this.#change(next, extra, commandBytes(said), () => {
      if (name !== null) this.#name = name;
    });
  }

  #reset(words: CommandArguments): Plan {
    if (words.count !== 1) return this.#forward();
    const wasBound = this.#claim.bound || this.#transaction?.sent === true;
    const key = this.#claim.key;
    this.#state = FIRST_STATE;
    this.#name = '';
    this.#known = this.#options.downstreamPassword === '';
    this.#transaction = null;
    this.#claim.drop();
    this.#replies = 'on';
    // It ends OFF before it is answered, and is itself what SKIP is about.
    const loud = !this.#skipped;
    const substitute = ownAnswer('+RESET\r\n');
    // Not on a connection of others: it would end what they told it.
    if (wasBound) {
      return this.#forward(Flag.Unbind | Flag.Hold, { taints: true, key, loud, needsBinding: true, substitute });
    }
    // What follows waits for the answers before: it would go over a connection that is about to be given back, in its state.
    return { ...this.#own(substitute), flags: Flag.End | Flag.Hold, extra: { loud } };
  }

  #client(id: number, words: CommandArguments): Plan {
    const word = words.count > 1 ? words.word(1) : '';
    if (this.#listens) {
      return word === 'REPLY' ? this.#askForReplies(words) : this.#forward(0, { key: this.#claim.key, taints: true });
    }
    if (word === 'SETNAME' && words.count === 3) {
      const name = words.text(2);
      if (!isClientName(name)) return this.#error(BAD_NAME);
      this.#name = name;
      return this.#own('+OK\r\n');
    }
    if (word === 'SETINFO' && words.count === 4) return this.#own('+OK\r\n');
    if (word === 'GETNAME' && words.count === 2) {
      if (this.#name !== '') return this.#own(bulk(this.#name));
      return this.#own(this.#state.resp === 3 ? '_\r\n' : '$-1\r\n');
    }
    if (word === 'REPLY' && words.count === 3) {
      const mode = replyMode(words);
      if (mode !== null) {
        this.#replies = mode;
        if (mode === 'on') return { ...this.#own('+OK\r\n'), extra: { loud: true } };
        return this.#own(ownAnswer(Buffer.alloc(0)));
      }
    }
    return STAYING_CLIENT_WORDS.includes(word) ? this.#stay(id, undefined, {}) : this.#forward();
  }

  /** A server that is told to be silent leaves every later answer a place too early: it is asked with a word that it answers. */
  #askForReplies(words: CommandArguments): Plan {
    const key = this.#claim.key;
    const mode = words.count === 3 ? replyMode(words) : null;
    if (mode === null) return this.#forward(0, { key, taints: true });
    const effect = (): void => {
      this.#replies = mode;
    };
    const extra = { key, effect, loud: mode === 'on', quiet: mode !== 'on' };
    return { ...this.#forward(Flag.Hold, extra), bytes: REPLY_ON };
  }
}

/** null: the server says what is wrong with it. */
function replyMode(words: CommandArguments): 'on' | 'off' | 'skip' | null {
  switch (words.word(2)) {
    case 'ON':
      return 'on';
    case 'OFF':
      return 'off';
    case 'SKIP':
      return 'skip';
    default:
      return null;
  }
}

const BAD_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';

function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

/** What would answer more or less often than once when EXEC runs it, or change what is known here. */
function refusedInMulti(command: Command, words: CommandArguments): string | null {
  switch (command.action) {
    case Action.Auth:
    case Action.Hello:
    case Action.Subscribe:
    case Action.Unsubscribe:
    case Action.Monitor:
    case Action.Replicate:
      return command.name;
    case Action.Client: {
      const word = words.count > 1 ? words.word(1) : '';
      return word === 'REPLY' || STAYING_CLIENT_WORDS.includes(word) ? `CLIENT ${word}` : null;
    }
    default:
      return null;
  }
}

/** In a time that tells nothing of where they differ. */
function equalSecrets(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
