/** RedisMesh: the engine with Redis on both sides and peers that are plain bytes, whose upstream may answer by itself. */
import { redisFactory } from '../../../src/codecs/redis/plugin.ts';
import { commandBytes } from '../../../src/codecs/redis/wire.ts';
import { Mesh, type MeshOptions } from '../mesh.ts';
import { RawPeer } from '../raw-peer.ts';

export class RedisMesh extends Mesh<RawPeer> {
  constructor(options: Partial<MeshOptions<RawPeer>> = {}) {
    super({ factory: redisFactory, upstreamPeer: (wire) => new RawPeer(wire), ...options });
  }

  newCaller(): RawPeer {
    return this.caller((wire) => new RawPeer(wire));
  }

  /** The one connection that the first endpoint has is open, and what opened it is over. */
  warm(cluster = 1): RawPeer {
    const caller = this.newCaller();
    caller.send(command(`GET warm-${cluster}`));
    this.settle();
    const upstream = this.upstream(0, cluster).connection;
    upstream.take();
    upstream.send('$-1\r\n');
    this.settle();
    caller.end();
    this.settle();
    return upstream;
  }
}

export function command(text: string): Buffer {
  return commandBytes(text.split(' '));
}

export function pipeline(...texts: string[]): Buffer {
  return Buffer.concat(texts.map(command));
}
