/** What configuration may set on the Dubbo codec, checked and defaulted. */
import type { OptionSchema } from '../../metaprotocol/manifest.ts';
import { parseCodecOptions } from '../codec-options.ts';

export interface DubboOptions {
  readonly frameLimitBytes: number;
  readonly eventLimitBytes: number;
  readonly checkArguments: boolean;
  readonly nestingLimit: number;
  readonly valueLimit: number;
  readonly classLimit: number;
}

interface IntegerOption extends OptionSchema {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
}

interface BooleanOption extends OptionSchema {
  readonly type: 'boolean';
}

export const DUBBO_OPTIONS: readonly (IntegerOption | BooleanOption)[] = [
  {
    key: 'frameLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 0x3fff_ffff,
    default: 8_388_608,
    description: "Largest body of a message: Dubbo's `payload`.",
  },
  {
    key: 'eventLimitBytes',
    type: 'integer',
    minimum: 1,
    maximum: 65_536,
    default: 15,
    description: 'Largest body of an event (heartbeat, read-only).',
  },
  {
    key: 'checkArguments',
    type: 'boolean',
    default: true,
    description:
      'Walk the arguments of every hessian2 call and refuse it if they are malformed or over a limit. False: only where attachments are asked for.',
  },
  {
    key: 'nestingLimit',
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 512,
    description: 'Deepest nesting of lists, maps and objects.',
  },
  {
    key: 'valueLimit',
    type: 'integer',
    minimum: 1,
    maximum: 100_000_000,
    default: 2_000_000,
    description: 'Most hessian2 values in one message.',
  },
  {
    key: 'classLimit',
    type: 'integer',
    minimum: 1,
    maximum: 65_536,
    default: 4_096,
    description: 'Most class definitions in one message, and most fields of one.',
  },
];

/** `raw` is JSON from config or undefined. Throws ConfigError with every bad field. */
export function parseDubboOptions(raw: unknown): DubboOptions {
  return parseCodecOptions('dubbo', DUBBO_OPTIONS, raw) as unknown as DubboOptions;
}
