/** The route options of the Redis codec, as a filter named `codec.redis`: takes a prefix off every key. */
import { ConfigError } from '../../metaprotocol/config-error.ts';
import type { Filter, FilterContext, FilterFactory, Stream } from '../../metaprotocol/filter.ts';
import { FilterStatus } from '../../metaprotocol/filter.ts';
import type { RequestMessage } from '../../metaprotocol/message.ts';
import { RedisRequest } from './message.ts';

export interface RedisRouteOptions {
  /** null: keys stay as they are. */
  readonly stripPrefix: Buffer | null;
  readonly ignoreCase: boolean;
}

class StripPrefixFilter implements Filter {
  readonly #index: number;

  constructor({ index }: FilterContext) {
    this.#index = index;
  }

  onRequest(stream: Stream, request: RequestMessage): FilterStatus {
    const options = stream.route?.optionsOf(this.#index) as RedisRouteOptions | undefined;
    if (options?.stripPrefix && request instanceof RedisRequest)
      request.stripPrefix(options.stripPrefix, options.ignoreCase);
    return FilterStatus.Continue;
  }
}

export const redisRouteFilter: FilterFactory<RedisRouteOptions> = {
  name: 'codec.redis',
  parseOptions(raw) {
    const { stripPrefix = '', ignoreCase = false, ...unknown } = (raw ?? {}) as Record<string, unknown>;
    const issues = Object.keys(unknown).map((path) => ({
      path,
      message: 'is not a route option; there are stripPrefix and ignoreCase',
    }));
    if (typeof stripPrefix !== 'string') issues.push({ path: 'stripPrefix', message: 'is not a string' });
    if (typeof ignoreCase !== 'boolean') issues.push({ path: 'ignoreCase', message: 'is neither true nor false' });
    if (issues.length > 0) throw new ConfigError(issues);
    return {
      stripPrefix: stripPrefix === '' ? null : Buffer.from(stripPrefix as string),
      ignoreCase: ignoreCase === true,
    };
  },
  create: (_options, context) => new StripPrefixFilter(context),
};
