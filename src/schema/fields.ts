/** Schemas of fields that programs and plugins give. Each one's own text is what was expected. */
import { z } from 'zod';

/** Of protocols: a port is called `tcp-metaprotocol-<name>`, a DNS label. */
const LONGEST_NAME = 63 - 'tcp-metaprotocol-'.length;

/** The fields of an object by name, so that one which is new in the type has to be here too. */
export type Shape<T> = Readonly<Record<keyof T, z.ZodType>>;

export const text = z.string().min(1);
export const aFunction = z.custom((given) => typeof given === 'function', 'a function');

/** The range in one message, whatever is wrong with the number. */
export function wholeNumber(least: number, most: number) {
  return z.custom<number>(
    (given) => Number.isInteger(given) && Number(given) >= least && Number(given) <= most,
    `a whole number from ${least} to ${most}`,
  );
}

export const protocolName = z.custom<string>(
  (given) => typeof given === 'string' && given.length <= LONGEST_NAME && /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/.test(given),
  `lower case letters, digits and dashes, at most ${LONGEST_NAME}, a letter first and no dash at the end`,
);

/** Of the codec API that a plugin was written for. */
export const codecApi = z.custom<string>(
  (given) => typeof given === 'string' && /^\^?\d+\.\d+\.\d+$/.test(given),
  'a version such as "^1.0.0"',
);
