/** splitCommand: a command of several keys as one command for each endpoint, and their answers joined. */
import { Flag, type ResponseMessage, type Split } from '../../metaprotocol/message.ts';
import type { Command } from './commands.ts';
import { hashTag } from './keys.ts';
import { ownAnswer, RedisRequest, type RedisResponse } from './message.ts';
import { elementOffsets } from './reply-meter.ts';
import { commandBytes, Type } from './wire.ts';

const NOT_JOINED = Buffer.from('-ERR upstream_malformed: an endpoint answered its part with something else\r\n');
const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same endpoint\r\n";

/** null: all keys belong to one endpoint. */
export function splitCommand(request: RedisRequest, group: (hashKey: string) => number): Split | null {
  const keys = request.keyIndexes;
  /** Positions among the keys, by endpoint. */
  const groups = new Map<number, number[]>();
  keys.forEach((index, position) => {
    const number = group(hashTag(request.word(index).toString()));
    const positions = groups.get(number);
    if (positions === undefined) groups.set(number, [position]);
    else positions.push(position);
  });
  if (groups.size < 2) return null;
  const { join, step } = request.command;
  // A word too few or too many: the server says it.
  if ((request.count - 1) % step !== 0) return null;
  // Parts of a transaction, and commands whose answers cannot be joined, are refused.
  if (join === null || request.flags !== Flag.End || request.extra !== null) {
    return { parts: [], merge: () => ownAnswer(CROSS_SLOT) };
  }
  const parts = [...groups].map(([number, positions]) => {
    const words = [request.word(0)];
    for (const position of positions) {
      const index = keys[position]!;
      for (let at = index; at < index + step; at++) words.push(request.word(at));
    }
    return { group: number, request: partOf(request, request.command, words) };
  });
  const places = [...groups.values()];
  return { parts, merge: (answers) => mergeAnswers(join, keys.length, places, answers as readonly RedisResponse[]) };
}

function partOf(request: RedisRequest, command: Command, words: readonly Buffer[]): RedisRequest {
  const bytes = commandBytes(words);
  const nameAt = bytes.indexOf('\n', bytes.indexOf('\n') + 1) + 1;
  const nameEnd = nameAt + words[0]!.length;
  const place = { count: words.length, nameAt, nameEnd };
  return new RedisRequest(command, place, request.state, bytes, 0, bytes.length, null);
}

function mergeAnswers(
  join: NonNullable<Command['join']>,
  count: number,
  places: readonly (readonly number[])[],
  answers: readonly RedisResponse[],
): ResponseMessage {
  if (join === 'values') return mergeValues(count, places, answers);
  const error = answers.find((answer) => answer.isError);
  if (error !== undefined) return error;
  if (join === 'ok') return answers[0]!;
  let sum = 0;
  for (const answer of answers) {
    if (answer.type !== Type.Integer) return ownAnswer(NOT_JOINED);
    const { bytes, from, to, valueAt } = answer;
    sum += Number(bytes.toString('latin1', from + valueAt + 1, to - 2));
  }
  return ownAnswer(`:${sum}\r\n`);
}

/** In the order of the keys; the error of a failed part, or of one that is no list of as many, stands in each of its places. */
function mergeValues(
  count: number,
  places: readonly (readonly number[])[],
  answers: readonly RedisResponse[],
): ResponseMessage {
  const values = new Array<Buffer>(count);
  for (const [part, answer] of answers.entries()) {
    const { bytes, from, to, valueAt } = answer;
    const offsets = elementOffsets(bytes, from + valueAt, to);
    const positions = places[part]!;
    const fits = offsets !== null && offsets.length === positions.length + 1;
    const error = answer.isError ? bytes.subarray(from + valueAt, to) : NOT_JOINED;
    for (const [index, position] of positions.entries()) {
      values[position] = fits ? bytes.subarray(offsets[index]!, offsets[index + 1]!) : error;
    }
  }
  return ownAnswer(Buffer.concat([Buffer.from(`*${count}\r\n`), ...values]));
}
