/** What a proxy's memory grows by while a gigabyte passes each way and twenty callers stop reading in the middle of an answer. */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytes } from '../../bench/process-usage.ts';
import type { Way } from './mesh.ts';

const MEBIBYTE = 1_048_576;
const LIMIT_MIB = 120;
const STALLED = 20;
const SAMPLE_MS = 50;
const STALL_BYTES = 100_000_000;

/** `transfers` run one after the other while the readers stand still. False: it grew by more than it may. */
export async function staysSmall(
  { name, url, pid }: Way,
  transfers: readonly (() => Promise<unknown>)[],
): Promise<boolean> {
  const before = residentBytes(pid!);
  let most = before;
  const sampling = setInterval(() => {
    most = Math.max(most, residentBytes(pid!));
  }, SAMPLE_MS);
  const { hostname, port } = new URL(url);
  const readers = await Promise.all(
    Array.from({ length: STALLED }, async () => {
      const socket = net.connect(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(`GET /bytes?count=${STALL_BYTES} HTTP/1.1\r\nHost: server\r\n\r\n`);
      await once(socket, 'readable');
      return socket;
    }),
  );
  await sleep(1_000);
  for (const transfer of transfers) await transfer();
  clearInterval(sampling);
  for (const socket of readers) socket.destroy();
  const grown = (most - before) / MEBIBYTE;
  const ok = grown <= LIMIT_MIB;
  console.log(
    `  ${ok ? 'ok' : 'FAILED'}: ${name} grew by ${grown.toFixed(0)} MiB from ${(before / MEBIBYTE).toFixed(0)} (at most ${LIMIT_MIB}), with ${STALLED} stalled readers`,
  );
  return ok;
}
