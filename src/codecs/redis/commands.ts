/**
 * The commands that the codec knows: where their keys are, which of them only read, and which need more than being passed on.
 * What is not listed passes through: its first argument is taken for its key, and it is not taken for a read.
 * Facts: the COMMAND tables of Redis 7 and 8.
 */

/** What the codec does with a command beyond passing it on. */
export const Action = {
  Forward: 0,
  Ping: 1,
  Echo: 2,
  Quit: 3,
  Reset: 4,
  Auth: 5,
  Hello: 6,
  Select: 7,
  Client: 8,
  Multi: 9,
  Exec: 10,
  Discard: 11,
  Watch: 12,
  Unwatch: 13,
  Subscribe: 14,
  Unsubscribe: 15,
  /** May keep its connection waiting: it gets one of its own until it is answered. */
  Block: 16,
  /** Runs for as long as it likes, while Redis answers others with BUSY: it must not stand in front of them. */
  Script: 21,
  /** Blocks only with the word BLOCK before its streams. */
  BlockIfAsked: 17,
  /** Its meaning lives in the connection: the caller keeps its own from here on. */
  Stay: 18,
  Monitor: 19,
  /** Turns the connection into a stream of bytes. */
  Replicate: 20,
  /** What a browser sends. Redis closes the connection that says it, so it must not be said on a shared one. */
  Foreign: 22,
} as const;
export type Action = (typeof Action)[keyof typeof Action];

/** Where keys are that no first, last and step can tell. Indexes count the command's name as 0. */
export type KeyRule =
  /** A count at `index`, the keys behind it, each with `step` - 1 words of its own. */
  | { readonly kind: 'counted'; readonly index: number; readonly destination: boolean; readonly step?: number }
  /** Behind the word STREAMS, the first half of what is left. */
  | { readonly kind: 'streams' }
  /** Key 1, and the one behind the last of these words from `from` on. `skips`: words of others that are none. */
  | { readonly kind: 'words'; readonly words: readonly string[]; readonly from: number; readonly skips: Skips }
  /** Key 3, or all behind the word KEYS. */
  | { readonly kind: 'migrate' }
  /** Key 2 of these subcommands. */
  | { readonly kind: 'subcommand'; readonly names: readonly string[] };

/** How many words belong to an option. */
export type Skips = Readonly<Record<string, number>>;

export interface Command {
  /** Upper case; '' for one that is not known. */
  readonly name: string;
  readonly action: Action;
  readonly readOnly: boolean;
  /** First and last key and the step between; `last` below 0 counts from the end. `first` 0: no key, or a rule tells. */
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly rule: KeyRule | null;
  /** How the command of several keys is split over endpoints. */
  readonly join: 'values' | 'sum' | 'ok' | null;
  /** Its keys are names of shard channels, which messages tell again: they place it, and are not changed. */
  readonly channels: boolean;
}

interface Group {
  readonly names: string;
  readonly action?: Action;
  readonly readOnly?: true;
  /** first, last, step */
  readonly keys?: readonly [number, number, number];
  readonly rule?: KeyRule;
  readonly join?: Command['join'];
  readonly channels?: true;
}

const ONE: Group['keys'] = [1, 1, 1];
const TWO: Group['keys'] = [1, 2, 1];
const ALL: Group['keys'] = [1, -1, 1];

const GROUPS: readonly Group[] = [
  {
    names: `GET STRLEN GETRANGE SUBSTR GETBIT BITCOUNT BITPOS BITFIELD_RO TTL PTTL EXPIRETIME PEXPIRETIME TYPE DUMP HGET HMGET
      HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HRANDFIELD HSCAN HTTL HPTTL HEXPIRETIME HPEXPIRETIME LLEN LINDEX LRANGE LPOS SCARD
      SISMEMBER SMISMEMBER SMEMBERS SRANDMEMBER SSCAN ZCARD ZCOUNT ZLEXCOUNT ZSCORE ZMSCORE ZRANK ZREVRANK ZRANGE ZREVRANGE
      ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZRANDMEMBER ZSCAN GEODIST GEOHASH GEOPOS GEORADIUS_RO
      GEORADIUSBYMEMBER_RO GEOSEARCH XLEN XRANGE XREVRANGE XPENDING SORT_RO DIGEST VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS
      VRANDMEMBER VRANGE VSIM`,
    readOnly: true,
    keys: ONE,
  },
  {
    names: `SET SETNX SETEX PSETEX GETSET GETDEL GETEX APPEND INCR DECR INCRBY DECRBY INCRBYFLOAT SETRANGE SETBIT BITFIELD EXPIRE
      PEXPIRE EXPIREAT PEXPIREAT PERSIST MOVE RESTORE HSET HSETNX HMSET HDEL HINCRBY HINCRBYFLOAT HEXPIRE HPEXPIRE HEXPIREAT
      HPEXPIREAT HPERSIST HGETDEL HGETEX HSETEX LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LINSERT LSET LREM LTRIM SADD SREM SPOP ZADD
      ZINCRBY ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ZPOPMIN ZPOPMAX GEOADD PFADD XADD XDEL XTRIM XACK XCLAIM
      XAUTOCLAIM XSETID XDELEX XACKDEL DELEX RESTORE-ASKING`,
    keys: ONE,
  },
  { names: 'LCS', readOnly: true, keys: TWO },
  {
    names: 'RENAME RENAMENX RPOPLPUSH LMOVE SMOVE COPY ZRANGESTORE GEOSEARCHSTORE TS.CREATERULE TS.DELETERULE',
    keys: TWO,
  },
  { names: 'BRPOPLPUSH BLMOVE', action: Action.Block, keys: TWO },
  { names: 'DEL UNLINK', keys: ALL, join: 'sum' },
  { names: 'EXISTS TOUCH', readOnly: true, keys: ALL, join: 'sum' },
  { names: 'MGET', readOnly: true, keys: ALL, join: 'values' },
  { names: 'MSET', keys: [1, -1, 2], join: 'ok' },
  { names: 'MSETNX', keys: [1, -1, 2] },
  { names: 'MSETEX', rule: { kind: 'counted', index: 1, destination: false, step: 2 } },
  { names: 'JSON.MGET', readOnly: true, keys: [1, -2, 1] },
  { names: 'JSON.MSET TS.MADD', keys: [1, -1, 3] },
  { names: 'SINTER SUNION SDIFF PFCOUNT', readOnly: true, keys: ALL },
  { names: 'SINTERSTORE SUNIONSTORE SDIFFSTORE PFMERGE', keys: ALL },
  { names: 'BITOP', keys: [2, -1, 1] },
  { names: 'PFDEBUG', keys: [2, 2, 1] },
  { names: 'WATCH', action: Action.Watch, keys: ALL },
  { names: 'SSUBSCRIBE', action: Action.Subscribe, keys: ALL, channels: true },
  { names: 'SUNSUBSCRIBE', action: Action.Unsubscribe, keys: ALL, channels: true },
  { names: 'SPUBLISH', keys: ONE, channels: true },
  { names: 'BLPOP BRPOP BZPOPMIN BZPOPMAX', action: Action.Block, keys: [1, -2, 1] },
  {
    names: 'ZUNION ZINTER ZDIFF ZINTERCARD SINTERCARD',
    readOnly: true,
    rule: { kind: 'counted', index: 1, destination: false },
  },
  { names: 'LMPOP ZMPOP', rule: { kind: 'counted', index: 1, destination: false } },
  { names: 'BLMPOP BZMPOP', action: Action.Block, rule: { kind: 'counted', index: 2, destination: false } },
  { names: 'EVAL EVALSHA FCALL', action: Action.Script, rule: { kind: 'counted', index: 2, destination: false } },
  {
    names: 'EVAL_RO EVALSHA_RO FCALL_RO',
    readOnly: true,
    action: Action.Script,
    rule: { kind: 'counted', index: 2, destination: false },
  },
  {
    names: 'ZUNIONSTORE ZINTERSTORE ZDIFFSTORE CMS.MERGE TDIGEST.MERGE',
    rule: { kind: 'counted', index: 2, destination: true },
  },
  { names: 'SORT', rule: { kind: 'words', words: ['STORE'], from: 2, skips: { LIMIT: 2, BY: 1, GET: 1 } } },
  {
    names: 'GEORADIUS GEORADIUSBYMEMBER',
    rule: { kind: 'words', words: ['STORE', 'STOREDIST'], from: 5, skips: {} },
  },
  { names: 'XREAD', readOnly: true, action: Action.BlockIfAsked, rule: { kind: 'streams' } },
  { names: 'XREADGROUP', action: Action.BlockIfAsked, rule: { kind: 'streams' } },
  { names: 'MIGRATE', rule: { kind: 'migrate' } },
  {
    names: 'OBJECT',
    readOnly: true,
    rule: { kind: 'subcommand', names: ['ENCODING', 'FREQ', 'IDLETIME', 'REFCOUNT'] },
  },
  { names: 'MEMORY', rule: { kind: 'subcommand', names: ['USAGE'] } },
  {
    names: 'DEBUG',
    rule: { kind: 'subcommand', names: ['OBJECT', 'LISTPACK', 'ZIPLIST', 'QUICKLIST', 'HTSTATS-KEY', 'SDSLEN'] },
  },
  { names: 'XINFO', readOnly: true, rule: { kind: 'subcommand', names: ['STREAM', 'GROUPS', 'CONSUMERS'] } },
  {
    names: 'XGROUP',
    rule: { kind: 'subcommand', names: ['CREATE', 'SETID', 'DESTROY', 'CREATECONSUMER', 'DELCONSUMER'] },
  },
  {
    names: `SCAN KEYS DBSIZE RANDOMKEY TIME LOLWUT COMMAND LASTSAVE PUBSUB INFO TS.MGET TS.MRANGE TS.MREVRANGE TS.QUERYINDEX
      FT._LIST`,
    readOnly: true,
  },
  {
    names: `FLUSHALL FLUSHDB SWAPDB PUBLISH SCRIPT FUNCTION CONFIG SAVE BGSAVE BGREWRITEAOF SHUTDOWN REPLICAOF SLAVEOF ROLE SLOWLOG
      LATENCY ACL MODULE CLUSTER FAILOVER`,
  },
  { names: 'PING', action: Action.Ping },
  { names: 'ECHO', action: Action.Echo },
  { names: 'QUIT', action: Action.Quit },
  { names: 'RESET', action: Action.Reset },
  { names: 'AUTH', action: Action.Auth },
  { names: 'HELLO', action: Action.Hello },
  { names: 'SELECT', action: Action.Select },
  { names: 'CLIENT', action: Action.Client },
  { names: 'MULTI', action: Action.Multi },
  { names: 'EXEC', action: Action.Exec },
  { names: 'DISCARD', action: Action.Discard },
  { names: 'UNWATCH', action: Action.Unwatch },
  { names: 'SUBSCRIBE PSUBSCRIBE', action: Action.Subscribe },
  { names: 'UNSUBSCRIBE PUNSUBSCRIBE', action: Action.Unsubscribe },
  { names: 'WAIT WAITAOF READONLY READWRITE ASKING REPLCONF', action: Action.Stay },
  { names: 'MONITOR', action: Action.Monitor },
  { names: 'SYNC PSYNC', action: Action.Replicate },
  { names: 'POST HOST:', action: Action.Foreign },
];

/** A command that the table does not list. */
export const UNKNOWN: Command = Object.freeze({
  name: '',
  action: Action.Forward,
  readOnly: false,
  first: 1,
  last: 1,
  step: 1,
  rule: null,
  join: null,
  channels: false,
});

const SLOTS = 2_048;
const LOWER_TO_UPPER = 0x20;

/** Finds commands by the bytes of their names, in any case, without making a string. */
export class CommandTable {
  /** Open addressing. */
  readonly #slots: (Command | null)[] = new Array<Command | null>(SLOTS).fill(null);

  constructor() {
    for (const group of GROUPS) {
      const [first, last, step] = group.keys ?? [0, 0, 1];
      for (const name of group.names.trim().split(/\s+/)) {
        this.#add({
          name,
          action: group.action ?? Action.Forward,
          readOnly: group.readOnly ?? false,
          first,
          last,
          step,
          rule: group.rule ?? null,
          join: group.join ?? null,
          channels: group.channels ?? false,
        });
      }
    }
  }

  lookup(bytes: Buffer, from: number, to: number): Command {
    for (let slot = hash(bytes, from, to); ; slot = (slot + 1) % SLOTS) {
      const command = this.#slots[slot]!;
      if (command === null) return UNKNOWN;
      if (isName(command.name, bytes, from, to)) return command;
    }
  }

  #add(command: Command): void {
    const bytes = Buffer.from(command.name);
    let slot = hash(bytes, 0, bytes.length);
    while (this.#slots[slot] !== null) slot = (slot + 1) % SLOTS;
    this.#slots[slot] = command;
  }
}

/** Letters of both cases alike; other bytes may fall together, which `isName` sorts out. */
function hash(bytes: Buffer, from: number, to: number): number {
  let value = to - from;
  for (let at = from; at < to && at < from + 24; at++) value = (value * 31 + (bytes[at]! | LOWER_TO_UPPER)) | 0;
  return (value >>> 0) % SLOTS;
}

/** `name` is upper case. */
export function isName(name: string, bytes: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[from + index]!;
    const wanted = name.charCodeAt(index);
    if (byte !== wanted && !(byte === (wanted | LOWER_TO_UPPER) && wanted >= 0x41 && wanted <= 0x5a)) return false;
  }
  return true;
}
