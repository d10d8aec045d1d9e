/** Which words of a command are keys, and the part of a key that is hashed. */
import type { CommandArguments } from './arguments.ts';
import type { Command, KeyRule, Skips } from './commands.ts';

const STREAM_SKIPS: Skips = { GROUP: 2, COUNT: 1, BLOCK: 1, CLAIM: 1 };
const MIGRATE_SKIPS: Skips = { AUTH: 1, AUTH2: 2 };
const NONE: readonly number[] = Object.freeze([]);

/** Indexes of the keys, in the order of the command. */
export function keyIndexes(command: Command, words: CommandArguments): readonly number[] {
  if (command.rule !== null) return ruledIndexes(command.rule, words);
  const { first, step } = command;
  if (first === 0) return NONE;
  const last = command.last < 0 ? words.count + command.last : Math.min(command.last, words.count - 1);
  const indexes: number[] = [];
  for (let index = first; index <= last; index += step) indexes.push(index);
  return indexes;
}

function ruledIndexes(rule: KeyRule, words: CommandArguments): readonly number[] {
  const { count } = words;
  switch (rule.kind) {
    case 'counted': {
      const keys = rule.index < count ? words.natural(rule.index) : -1;
      const { step = 1 } = rule;
      const first = rule.index + 1;
      const indexes = rule.destination ? [1] : [];
      const end = Math.min(first + Math.max(keys, 0) * step, count);
      for (let index = first; index < end; index += step) indexes.push(index);
      return indexes;
    }
    case 'streams': {
      const { keysAt } = streamOptions(words);
      const keys = Math.floor((count - keysAt) / 2);
      return Array.from({ length: Math.max(keys, 0) }, (_, index) => keysAt + index);
    }
    case 'words': {
      let stored = 0;
      for (let at = rule.from; at + 1 < count; at++) {
        const word = words.word(at);
        if (rule.words.includes(word)) stored = ++at;
        else at += rule.skips[word] ?? 0;
      }
      if (stored > 0) return [1, stored];
      return count > 1 ? [1] : NONE;
    }
    case 'migrate': {
      if (count > 3 && words.end(3) > words.begin(3)) return [3];
      for (let at = 6; at < count; at++) {
        const word = words.word(at);
        if (word === 'KEYS') return Array.from({ length: count - at - 1 }, (_, index) => at + 1 + index);
        at += MIGRATE_SKIPS[word] ?? 0;
      }
      return NONE;
    }
    case 'subcommand':
      return count > 2 && rule.names.includes(words.word(1)) ? [2] : NONE;
  }
}

/** What XREAD and XREADGROUP say in front of their keys. Names of groups and consumers are taken for no options. */
export function streamOptions(words: CommandArguments): { readonly keysAt: number; readonly blocks: boolean } {
  const { count } = words;
  let blocks = false;
  for (let at = 1; at < count; at++) {
    const word = words.word(at);
    if (word === 'STREAMS') return { keysAt: at + 1, blocks };
    if (word === 'BLOCK') blocks = true;
    at += STREAM_SKIPS[word] ?? 0;
  }
  return { keysAt: count, blocks };
}

/** What stands between the first `{` and the next `}`, unless that is nothing; else the key. */
export function hashTag(key: string): string {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}
