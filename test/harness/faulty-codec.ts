/** faulty: a codec factory some of whose methods a test replaces, to see what a defective plugin does to the rest. */
import type { ClientCodec, CodecFactory, Output, ServerCodec } from '../../src/metaprotocol/codec.ts';

export interface Faults {
  /** Methods that stand in for the server codec's own; they get it to fall back on. */
  server?(codec: ServerCodec, out: Output): Partial<ServerCodec>;
  client?(codec: ClientCodec, out: Output): Partial<ClientCodec>;
}

export function faulty<O>(factory: CodecFactory<O>, faults: Faults): CodecFactory<O> {
  return {
    ...factory,
    createServerCodec(sink, out, options, maxStreams) {
      const codec = factory.createServerCodec(sink, out, options, maxStreams);
      return overlay(codec, faults.server?.(codec, out));
    },
    createClientCodec(sink, out, options, connectionKey) {
      const codec = factory.createClientCodec(sink, out, options, connectionKey);
      return overlay(codec, faults.client?.(codec, out));
    },
  };
}

function overlay<C extends object>(codec: C, replaced: Partial<C> = {}): C {
  return new Proxy(codec, {
    get(target, key) {
      if (key in replaced) return replaced[key as keyof C];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
