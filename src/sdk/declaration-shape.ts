/** declarationShape: what the types say of a declaration, at run time. Plugins are loaded without a compiler, so nobody else has looked. */
import { z } from 'zod';
import { Status } from '../metaprotocol/status.ts';
import { aFunction, codecApi, protocolName, type Shape, text, wholeNumber } from '../schema/fields.ts';
import type { CodecDeclaration } from './declaration.ts';
import { ID_NAMES, NUMBER_NAMES } from './number-format.ts';
import { TextMap } from './text-map.ts';

const LARGEST_FRAME = 0x7fff_ffff;

const offset = wholeNumber(0, LARGEST_FRAME);
const size = wholeNumber(1, LARGEST_FRAME);
const number = wholeNumber(0, 0xffff_ffff);
const format = z.enum(NUMBER_NAMES);
const field = z
  .custom((given) => !(given instanceof TextMap), 'a field; what textMap gives stands under `open`')
  .pipe(
    z.looseObject(
      { place: z.enum(['head', 'part', 'derived']), on: z.enum(['both', 'request', 'response']) },
      'what text, fixedText, uint or derived give',
    ),
  );

export const declarationShape = z.strictObject({
  name: protocolName,
  version: text,
  codecApi,
  aliases: z.array(text).optional(),
  frame: z.strictObject({
    magic: z.array(wholeNumber(0, 0xff)).optional(),
    headBytes: size,
    length: z.strictObject({ at: offset, as: format, of: z.enum(['body', 'rest', 'frame']) }),
    limitBytes: size,
  } satisfies Shape<CodecDeclaration['frame']>),
  id: z.strictObject({ at: offset, as: z.enum(ID_NAMES) }),
  kind: z.strictObject({
    at: offset,
    as: format,
    mask: number.optional(),
    request: number,
    response: number,
    oneway: number.optional(),
    heartbeat: number.optional(),
    heartbeatAnswer: number.optional(),
  } satisfies Shape<CodecDeclaration['kind']>),
  outcome: z.strictObject({ at: offset, as: format, ok: z.array(number).optional() }),
  codes: z.record(text, number),
  errors: z.strictObject({
    otherwise: text,
    of: z.strictObject(Object.fromEntries(Object.keys(Status).map((status) => [status, text.optional()]))).optional(),
    body: aFunction.optional(),
  } satisfies Shape<CodecDeclaration['errors']>),
  attributes: z.record(text, field),
  open: z.instanceof(TextMap, { error: 'what textMap gives' }).optional(),
  replaySafe: aFunction.optional(),
  concurrency: size.optional(),
} satisfies Shape<CodecDeclaration>);
