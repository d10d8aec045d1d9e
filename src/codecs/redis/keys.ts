/** Which words of a command are keys, and the part of a key that is hashed. */
import type { CommandArguments } from './arguments.ts';
import type { Command, KeyRule } from './commands.ts';

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
      const first = rule.index + 1;
      const indexes = rule.destination ? [1] : [];
      for (let index = first; index < Math.min(first + Math.max(keys, 0), count); index++) indexes.push(index);
      return indexes;
    }
    case 'streams': {
      let at = 1;
      while (at < count && words.word(at) !== 'STREAMS') at++;
      const keys = Math.floor((count - at - 1) / 2);
      return Array.from({ length: Math.max(keys, 0) }, (_, index) => at + 1 + index);
    }
    case 'words': {
      const indexes = count > 1 ? [1] : [];
      for (let at = 2; at + 1 < count; at++) if (rule.words.includes(words.word(at))) indexes.push(at + 1);
      return indexes;
    }
    case 'migrate': {
      if (count > 3 && words.end(3) > words.begin(3)) return [3];
      for (let at = 6; at < count; at++) {
        if (words.word(at) === 'KEYS') return Array.from({ length: count - at - 1 }, (_, index) => at + 1 + index);
      }
      return NONE;
    }
    case 'subcommand':
      return count > 2 && rule.names.includes(words.word(1)) ? [2] : NONE;
  }
}

/** What stands between the first `{` and the next `}`, unless that is nothing; else the key. */
export function hashTag(key: string): string {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}
