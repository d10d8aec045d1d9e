/** What `import … from 'meltemi/codec'` gives: the SDK for declared codecs, and the contract for those written by hand. */
export { type CodecOptions, parseCodecOptions as parseOptions } from '../codecs/codec-options.ts';
export {
  BAD_FRAME,
  type FrameFault,
  type FrameMeter,
  type FrameReceiver,
  Framer,
  LengthPrefix,
} from '../codecs/framing.ts';
export { WholeFrame } from '../codecs/whole-frame.ts';
export { WholeMessageCodec } from '../codecs/whole-message-codec.ts';
export * from '../metaprotocol/codec.ts';
export { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';
export type * from '../metaprotocol/manifest.ts';
export * from '../metaprotocol/message.ts';
export type { Plugin } from '../metaprotocol/plugin.ts';
export { type ProxyStatus, Status, type StatusName, statusOf } from '../metaprotocol/status.ts';
export type { CodecDeclaration } from './declaration.ts';
export { type CodecPlugin, defineCodec } from './define-codec.ts';
export {
  type DerivedField,
  derived,
  type Field,
  fixedText,
  type HeadField,
  type PartField,
  text,
  uint,
} from './field.ts';
export type { IdName, NumberName } from './number-format.ts';
export { KiB, MiB } from './sizes.ts';
export { TextMap, textMap } from './text-map.ts';
