import { describe, expect, it } from 'vitest';
import { ANY_CONNECTION } from '../../metaprotocol/description.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { readHttpConnectionManager } from './http-connection-manager.ts';
import { Reader, Report } from './reader.ts';

const START = { name: 'chain', match: ANY_CONNECTION, tls: null };
const ROUTER = { name: 'envoy.filters.http.router', typedConfig: { '@type': TypeUrl.HttpRouter } };

function own(name: string, type: string, value: object): object {
  return { name, typedConfig: { '@type': TypeUrl.TypedStruct, typeUrl: `type.googleapis.com/${type}`, value } };
}

function read(manager: object) {
  const report = new Report();
  const reader = new Reader({ '@type': TypeUrl.HttpConnectionManager, ...manager }, '', report);
  const plan = readHttpConnectionManager(reader, START, (owner) => {
    owner.ignore('rds');
    return 'routes';
  });
  return { plan, errors: report.errors.map(({ path, message }) => `${path}: ${message}`), notes: report.notes };
}

describe('HttpConnectionManager', () => {
  it('becomes a chain of the HTTP codec', () => {
    const { plan, errors, notes } = read({
      codecType: 'HTTP1',
      statPrefix: 's',
      commonHttpProtocolOptions: { idleTimeout: '5s' },
      httpFilters: [
        own('codec.http1', 'meltemi.codec.http1.Options', { headerLimit: 7 }),
        own('http', 'meltemi.filter.http', {}),
        ROUTER,
      ],
    });
    expect([errors, notes]).toEqual([[], []]);
    expect(plan).toMatchObject({
      protocol: 'http1',
      codecOptions: { headerLimit: 7 },
      routes: 'routes',
      filters: [{ name: 'http', options: {} }],
      statPrefix: 's',
      timeouts: {
        idleMs: 5_000,
        headMs: 60_000,
        requestMs: 0,
        streamIdleMs: 300_000,
        tunnelIdleMs: 3_600_000,
      },
    });
  });

  it('normalizes paths where it says so, unless the codec has options of its own for that', () => {
    const optionsOf = (normalizePath: boolean, options: object) => {
      const httpFilters = [own('codec.http1', 'meltemi.codec.http1.Options', options), ROUTER];
      return read({ normalizePath, httpFilters }).plan.codecOptions;
    };
    expect(optionsOf(true, { headerLimit: 7 })).toEqual({ headerLimit: 7, pathNormalization: 'base' });
    expect(optionsOf(false, {})).toEqual({});
    expect(optionsOf(true, { pathNormalization: 'none' })).toEqual({ pathNormalization: 'none' });
  });

  it('is refused with what this proxy does not do', () => {
    const { errors } = read({
      codecType: 'HTTP2',
      httpFilters: [
        { name: 'lua', typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua' } },
      ],
    });
    expect(errors).toEqual([
      expect.stringMatching(/^codecType: HTTP2 is not built yet/),
      expect.stringMatching(/^httpFilters\[0\]: HTTP filter envoy.extensions.filters.http.lua.v3.Lua is not supported/),
    ]);
  });
});
