/**
 * checkShape: what the types say of a declaration, at run time. Plugins are loaded without a compiler, so nobody else has looked.
 */
import { LONGEST_PROTOCOL_NAME, PROTOCOL_NAME } from '../metaprotocol/manifest.ts';
import { Status } from '../metaprotocol/status.ts';
import { ID_NAMES, NUMBER_NAMES } from './number-format.ts';
import { TextMap } from './text-map.ts';

export type ReportFault = (path: string, message: string) => void;
type Rule = (given: unknown, path: string, bad: ReportFault) => void;
type Rules = Readonly<Record<string, Rule>>;

const LARGEST_FRAME = 0x7fff_ffff;

const text = rule('a text', (given) => typeof given === 'string' && given !== '');
const aFunction = rule('a function', (given) => typeof given === 'function');
const offset = wholeNumber(0, LARGEST_FRAME);
const number = wholeNumber(0, 0xffff_ffff);
const size = wholeNumber(1, LARGEST_FRAME);
const format = oneOf(NUMBER_NAMES);

const name = rule(
  `lower case letters, digits and dashes, at most ${LONGEST_PROTOCOL_NAME} and no dash at an end`,
  (given) => typeof given === 'string' && given.length <= LONGEST_PROTOCOL_NAME && PROTOCOL_NAME.test(given),
);

const field: Rule = (given, path, bad) => {
  if (given instanceof TextMap) bad(path, 'a textMap is no attribute of its own: give it as `open`');
  else if (!isRecord(given) || !['head', 'part', 'derived'].includes(given.place as string)) {
    bad(path, `${shown(given)} is not what text, fixedText, uint or derived give`);
  } else oneOf(['both', 'request', 'response'])(given.on, `${path}.on`, bad);
};

const declaration = object(
  {
    name,
    version: text,
    codecApi: rule(
      'a version such as "^1.0.0"',
      (given) => typeof given === 'string' && /^\^?\d+\.\d+\.\d+$/.test(given),
    ),
    frame: object(
      {
        headBytes: size,
        length: object({ at: offset, as: format, of: oneOf(['body', 'rest', 'frame']) }),
        limitBytes: size,
      },
      { magic: listOf(wholeNumber(0, 0xff)) },
    ),
    id: object({ at: offset, as: oneOf(ID_NAMES) }),
    kind: object(
      { at: offset, as: format, request: number, response: number },
      { mask: number, oneway: number, heartbeat: number, heartbeatAnswer: number },
    ),
    outcome: object({ at: offset, as: format }, { ok: listOf(number) }),
    codes: mapOf(number),
    errors: object(
      { otherwise: text },
      { of: object({}, Object.fromEntries(Object.keys(Status).map((status) => [status, text]))), body: aFunction },
    ),
    attributes: mapOf(field),
  },
  {
    aliases: listOf(text),
    open: rule('what textMap gives', (given) => given instanceof TextMap),
    replaySafe: aFunction,
    concurrency: wholeNumber(1, LARGEST_FRAME),
  },
);

export function checkShape(given: unknown, bad: ReportFault): void {
  declaration(given, '', bad);
}

function rule(expected: string, is: (given: unknown) => boolean): Rule {
  return (given, path, bad) => {
    if (given === undefined) bad(path, `is missing, expected ${expected}`);
    else if (!is(given)) bad(path, `${shown(given)} is not ${expected}`);
  };
}

function wholeNumber(least: number, most: number): Rule {
  return rule(
    `a whole number from ${least} to ${most}`,
    (given) => Number.isInteger(given) && (given as number) >= least && (given as number) <= most,
  );
}

function oneOf(values: readonly string[]): Rule {
  return rule(`one of ${values.join(', ')}`, (given) => values.includes(given as string));
}

function listOf(each: Rule): Rule {
  return (given, path, bad) => {
    if (!Array.isArray(given)) bad(path, `${shown(given)} is not a list`);
    else for (const [index, one] of given.entries()) each(one, `${path}[${index}]`, bad);
  };
}

function mapOf(each: Rule): Rule {
  return (given, path, bad) => {
    if (given === undefined) bad(path, 'is missing, expected an object, perhaps {}');
    else if (!isRecord(given)) bad(path, `${shown(given)} is not an object`);
    else {
      for (const [key, one] of Object.entries(given)) {
        if (key === '') bad(path, 'has an empty key');
        else each(one, `${path}.${key}`, bad);
      }
    }
  };
}

function object(required: Rules, optional: Rules = {}): Rule {
  const rules = { ...required, ...optional };
  const known = Object.keys(rules).join(', ');
  return (given, path, bad) => {
    const at = (key: string) => (path === '' ? key : `${path}.${key}`);
    if (!isRecord(given)) {
      bad(path, `${given === undefined ? 'is missing, expected' : `${shown(given)} is not`} an object of ${known}`);
      return;
    }
    for (const [key, one] of Object.entries(rules)) {
      if (given[key] !== undefined || Object.hasOwn(required, key)) one(given[key], at(key), bad);
    }
    for (const key of Object.keys(given)) {
      if (!Object.hasOwn(rules, key)) bad(at(key), `is not known; there are ${known}`);
    }
  };
}

function isRecord(given: unknown): given is Record<string, unknown> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

function shown(given: unknown): string {
  if (typeof given === 'function') return 'a function';
  return typeof given === 'number' ? String(given) : (JSON.stringify(given) ?? String(given));
}
