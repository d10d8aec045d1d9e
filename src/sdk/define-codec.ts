/** defineCodec: a declaration becomes a plugin with one codec. Manifest, options, detection and codecs are derived here. */

import { parseCodecOptions } from '../codecs/codec-options.ts';
import type { CodecFactory } from '../metaprotocol/codec.ts';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { OptionSchema, ProtocolManifest } from '../metaprotocol/manifest.ts';
import type { Plugin } from '../metaprotocol/plugin.ts';
import { schemaFaults } from '../schema/schema-faults.ts';
import type { CodecDeclaration } from './declaration.ts';
import { declarationShape } from './declaration-shape.ts';
import { otherSide } from './field.ts';
import { frameFields } from './frame-fields.ts';
import { FrameFormat } from './frame-format.ts';
import { detectMagic } from './frame-meter.ts';
import { FramedClientCodec, type FramedOptions, FramedServerCodec } from './framed-codec.ts';
import { placeFaults } from './place-faults.ts';

const DOWNSTREAM_CONCURRENCY = 1_024;
const UPSTREAM_CONCURRENCY = 1_024;

export interface CodecPlugin extends Plugin {
  readonly codecs: readonly [CodecFactory<FramedOptions>];
}

/** Throws ConfigError with every fault of the declaration. */
export function defineCodec<const Code extends string>(declaration: CodecDeclaration<Code>): CodecPlugin {
  checkDeclaration(declaration);
  const { name, version, codecApi } = declaration;
  return { name, version, codecApi, codecs: [factoryOf(declaration)] };
}

/** Places are looked at where the shape is right. */
function checkDeclaration(declaration: CodecDeclaration): void {
  const { name } = (declaration ?? {}) as Partial<CodecDeclaration>;
  const whole = typeof name === 'string' ? name : 'codec';
  const faults = schemaFaults(declarationShape, declaration);
  const issues = faults.length > 0 ? faults : placeFaults(declaration);
  if (issues.length === 0) return;
  throw new ConfigError(
    issues.map(({ path, message }) => ({ path: path === '' ? whole : `${whole}.${path}`, message })),
  );
}

function factoryOf(declaration: CodecDeclaration): CodecFactory<FramedOptions> {
  const format = new FrameFormat(declaration);
  const manifest = manifestOf(declaration, format);
  const { name } = declaration;
  const upstream = declaration.concurrency ?? UPSTREAM_CONCURRENCY;
  return {
    manifest,
    alpn: [],
    replies: 'any-order',
    affinity: false,
    concurrency: {
      downstream: DOWNSTREAM_CONCURRENCY,
      upstream: Math.min(upstream, format.id.bytes < 4 ? format.id.maximum : upstream),
    },
    ...(format.magic.length === 0 ? {} : { detect: (head) => detectMagic(format.magic, head) }),
    parseOptions: (raw) => ({
      frameLimitBytes: parseCodecOptions(name, manifest.options, raw).frameLimitBytes as number,
    }),
    createServerCodec: (sink, out, options) => new FramedServerCodec(format, sink, out, options),
    createClientCodec: (sink, out, options) => new FramedClientCodec(format, sink, out, options),
    fieldsOf: (frame) => frameFields(format, frame),
  };
}

function manifestOf(declaration: CodecDeclaration, format: FrameFormat): ProtocolManifest {
  const { name, version, aliases = [], attributes, open, kind, codes } = declaration;
  const canChange = (side: 'request' | 'response') =>
    open?.mutable === true || Object.values(attributes).some((field) => field.mutable && field.on !== otherSide(side));
  const limit: OptionSchema = {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: format.headBytes,
    maximum: Math.min(format.largestBytes, 0x7fff_ffff),
    default: declaration.frame.limitBytes,
    description: 'Largest frame, all of it.',
  };
  return {
    name,
    version,
    aliases,
    family: name,
    attributes: {
      fixed: Object.entries(attributes).map(([key, { description, mutable }]) => ({ key, description, mutable })),
      open: open === undefined ? null : { description: open.description, mutable: open.mutable },
      keyCase: 'sensitive',
      hostKey: null,
    },
    codes: Object.entries<number>(codes).map(([codeName, code]) => ({ name: codeName, code })),
    options: [limit],
    capabilities: {
      requestMutation: canChange('request'),
      responseMutation: canChange('response'),
      oneway: kind.oneway !== undefined,
      streaming: false,
      errorReply: true,
      idempotencyHint: declaration.replaySafe !== undefined,
      serverFirst: false,
      multiplexing: true,
    },
  };
}
