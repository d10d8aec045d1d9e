/** Encodes each resource once, however many clients get it, and once only until it changes. */
import type { EncodeResult, XdsResource } from '../../xds/resource.ts';
import type { Xds } from '../../xds/xds.ts';

interface Encoded {
  readonly text: string;
  readonly result: EncodeResult;
}

export class ResourceEncoder {
  readonly #xds: Xds;
  #recent = new Map<string, Encoded>();
  #older = new Map<string, Encoded>();

  constructor(xds: Xds) {
    this.#xds = xds;
  }

  /** Equal content gives the same object. Comparing JSON text costs a tenth of encoding it. */
  encode(resource: XdsResource): EncodeResult {
    const key = `${resource.typeUrl}\0${resource.name}`;
    const text = JSON.stringify(resource.value);
    const known = this.#recent.get(key) ?? this.#older.get(key);
    const encoded = known?.text === text ? known : { text, result: this.#xds.encodeResource(resource) };
    this.#recent.set(key, encoded);
    return encoded.result;
  }

  /** Between rounds of generating for all clients: what the round before the last one used is forgotten. */
  startRound(): void {
    this.#older = this.#recent;
    this.#recent = new Map();
  }
}
