/**
 * The least a proxy of Redis can do in Node: all callers' commands go over one connection in the order they come, counted only so
 * that each run of replies finds its caller. It knows the values that redis-benchmark's commands and their replies have, whole
 * ones in each read of commands, and bounds nothing. With a file's name it writes as many bytes a run there as an access log.
 */
import { ftruncateSync, openSync, writeSync } from 'node:fs';
import { BareConnection, connectTo, serve } from './bare-connection.ts';

const [upstreamPort, logFile] = process.argv.slice(2);
const CR = 0x0d;
const BULK = 0x24;
const ARRAY = 0x2a;
const ZERO = 0x30;
const MINUS = 0x2d;
const FORGOTTEN_TOGETHER = 1_024;

/** Commands of one read, whose replies are still to come. */
interface Run {
  readonly caller: BareConnection;
  left: number;
}

const runs: Run[] = [];
let first = 0;
let at = 0;

/** A line's number, behind which `at` stands then; past the end of `bytes` if they end within. */
function numberLine(bytes: Buffer): number {
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  let value = 0;
  for (; at < bytes.length && bytes[at] !== CR; at++) value = value * 10 + bytes[at]! - ZERO;
  at += 2;
  return negative ? -value : value;
}

/** Moves `at` behind one value. */
function skipValue(bytes: Buffer): void {
  const type = bytes[at++];
  if (type === BULK) {
    const length = numberLine(bytes);
    if (length >= 0) at += length + 2;
  } else if (type === ARRAY) {
    for (let left = numberLine(bytes); left > 0; left--) skipValue(bytes);
  } else {
    while (at < bytes.length && bytes[at] !== CR) at++;
    at += 2;
  }
}

const upstream = new BareConnection(connectTo(Number(upstreamPort)), onReplies, () => process.exit());
/** What a read ended within. */
let begun: Buffer = Buffer.alloc(0);

function onReplies(chunk: Buffer): void {
  const bytes = begun.length === 0 ? chunk : Buffer.concat([begun, chunk]);
  let from = 0;
  let end = 0;
  at = 0;
  while (at < bytes.length) {
    skipValue(bytes);
    if (at > bytes.length) break;
    end = at;
    const run = runs[first]!;
    if (--run.left > 0) continue;
    run.caller.output.append(bytes, from, at);
    from = at;
    log();
    if (++first === FORGOTTEN_TOGETHER) {
      runs.splice(0, first);
      first = 0;
    }
  }
  if (end > from) runs[first]!.caller.output.append(bytes, from, end);
  begun = end < bytes.length ? Buffer.from(bytes.subarray(end)) : Buffer.alloc(0);
}

const LINE = Buffer.from(`${'x'.repeat(199)}\n`);
const lines = Buffer.allocUnsafeSlow(65_536);
/** The mesh rotates its log then. */
const LOG_LIMIT_BYTES = 16 * 2 ** 20;
const log = logFile === undefined ? () => {} : logTo(openSync(logFile, 'a'));

function logTo(file: number): () => void {
  let length = 0;
  let written = 0;
  return () => {
    if (length + LINE.length > lines.length) {
      if (written > LOG_LIMIT_BYTES) {
        ftruncateSync(file);
        written = 0;
      }
      written += writeSync(file, lines, 0, length);
      length = 0;
    }
    lines.set(LINE, length);
    length += LINE.length;
  };
}

serve((wire) => {
  const caller = new BareConnection(
    wire,
    (chunk) => {
      at = 0;
      let commands = 0;
      for (; at < chunk.length; commands++) skipValue(chunk);
      runs.push({ caller, left: commands });
      upstream.output.append(chunk, 0, chunk.length);
    },
    () => {},
  );
});
