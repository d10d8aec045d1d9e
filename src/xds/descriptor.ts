/** The protobuf messages both sides know, read from the descriptor that `npm run prepare` wrote. */
import { createRequire } from 'node:module';
import protobuf from 'protobufjs/light.js';
import { messageName } from './type-urls.ts';

export type MessageType = protobuf.Type;
/** A decoded protobufjs message: fields by their JSON names, absent ones answer with their default. */
export type Message = Record<string, unknown>;

export class Descriptor {
  readonly #types = new Map<string, MessageType>();

  constructor(json: protobuf.INamespace) {
    this.#index(protobuf.Root.fromJSON(json));
  }

  /** Takes some 30 ms: load once and pass the object on. Throws when the descriptor was never built. */
  static load(): Descriptor {
    let json: protobuf.INamespace;
    try {
      json = createRequire(import.meta.url)('#xds-descriptor');
    } catch (cause) {
      throw new Error('build/xds/descriptor.json is missing; `npm run prepare` writes it', { cause });
    }
    return new Descriptor(json);
  }

  /** By full name or type URL. */
  find(name: string): MessageType | null {
    return this.#types.get(messageName(name)) ?? null;
  }

  /** For names that stand in our own code. Throws on an unknown one. */
  get(name: string): MessageType {
    const type = this.find(name);
    if (type === null)
      throw new Error(`${name}: not in build/xds/descriptor.json; add its file to scripts/build-descriptor.ts`);
    return type;
  }

  #index(namespace: protobuf.NamespaceBase): void {
    for (const child of namespace.nestedArray) {
      if (child instanceof protobuf.Type) this.#types.set(child.fullName.slice(1), child);
      if (child instanceof protobuf.Namespace) this.#index(child);
    }
  }
}

/** One fault of a resource: where in it, and the actual and expected value in words. */
export interface FieldIssue {
  /** `virtualHosts[0].routes[2].match`; '' = the whole resource. */
  readonly path: string;
  readonly message: string;
}

/** `a.b[0]: text; c: text`. */
export function formatIssues(issues: readonly FieldIssue[]): string {
  return issues.map((issue) => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)).join('; ');
}
