/** HttpMesh: the engine with HTTP/1.1 on both sides and peers that are plain bytes. */
import { http1Factory } from '../../../src/codecs/http1/plugin.ts';
import { Mesh, type MeshOptions } from '../mesh.ts';
import { RawPeer } from '../raw-peer.ts';

export class HttpMesh extends Mesh<RawPeer> {
  constructor(options: Partial<MeshOptions<RawPeer>> = {}) {
    super({ factory: http1Factory, upstreamPeer: (wire) => new RawPeer(wire), ...options });
  }

  newCaller(): RawPeer {
    return this.caller((wire) => new RawPeer(wire));
  }
}
