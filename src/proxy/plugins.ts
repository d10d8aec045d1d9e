/** The whole product on one screen: every protocol and filter that is built in. */
import { dubboPlugin } from '../codecs/dubbo/plugin.ts';
import { http1Plugin } from '../codecs/http1/plugin.ts';
import { redisPlugin } from '../codecs/redis/plugin.ts';
import { tcpPlugin } from '../codecs/tcp/plugin.ts';
import { thriftPlugin } from '../codecs/thrift/plugin.ts';
import { httpFilter } from '../http/http-filter.ts';
import { CODEC_API_VERSION } from '../metaprotocol/codec.ts';
import { accessLogFilter } from '../metaprotocol/filters/access-log/access-log-filter.ts';
import { faultFilter } from '../metaprotocol/filters/fault/fault-filter.ts';
import type { Plugin } from '../metaprotocol/plugin.ts';

export function builtInPlugins(): readonly Plugin[] {
  return [
    {
      name: 'core-filters',
      version: CODEC_API_VERSION,
      codecApi: `^${CODEC_API_VERSION}`,
      filters: [accessLogFilter, faultFilter, httpFilter],
    },
    dubboPlugin,
    http1Plugin,
    redisPlugin,
    tcpPlugin,
    thriftPlugin,
  ];
}
