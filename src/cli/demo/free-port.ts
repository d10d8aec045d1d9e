/** Finds a free port for something that will listen on it later, or again. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

/** Below what systems give to who asks for any port (Linux: from 32,768 on): nobody gets it by chance meanwhile. */
const FROM = 15_000;
const TO = 32_000;
const TRIES = 100;

/** A port of 127.0.0.1 that was free a moment ago. Rejects when all that were tried are taken. */
export async function freePort(): Promise<number> {
  for (let left = TRIES; ; left--) {
    const port = randomInt(FROM, TO);
    const server = net.createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (left > 1) continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
