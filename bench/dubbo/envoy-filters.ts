/** Envoy's two ways of speaking Dubbo, each with two routes by method, of which the second one matches. */

const type = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const network = 'envoy.extensions.filters.network';
const cluster = 'echo';

/** It has no access log. */
export const dubboProxyFilter: object = {
  name: 'envoy.filters.network.dubbo_proxy',
  typed_config: {
    ...type(`${network}.dubbo_proxy.v3.DubboProxy`),
    stat_prefix: 'bench',
    protocol_type: 'Dubbo',
    serialization_type: 'Hessian2',
    route_config: [
      {
        name: 'echo',
        interface: 'bench.Echo',
        routes: ['other', 'echo'].map((method) => ({
          match: { method: { name: { exact: method } } },
          route: { cluster },
        })),
      },
    ],
    dubbo_filters: [{ name: 'envoy.filters.dubbo.router', config: type(`${network}.dubbo_proxy.router.v3.Router`) }],
  },
};

export function genericProxyDubboFilter(accessLogFile: string): object {
  const generic = `${network}.generic_proxy`;
  const action = { name: 'route', typed_config: { ...type(`${generic}.action.v3.RouteAction`), cluster } };
  return {
    name: 'envoy.filters.network.generic_proxy',
    typed_config: {
      ...type(`${generic}.v3.GenericProxy`),
      stat_prefix: 'bench',
      codec_config: {
        name: 'envoy.generic_proxy.codecs.dubbo',
        typed_config: type(`${generic}.codecs.dubbo.v3.DubboCodecConfig`),
      },
      route_config: {
        name: 'echo',
        virtual_hosts: [
          {
            name: 'all',
            hosts: ['*'],
            routes: {
              matcher_tree: {
                input: { name: 'method', typed_config: type(`${generic}.matcher.v3.MethodMatchInput`) },
                exact_match_map: { map: { other: { action }, echo: { action } } },
              },
            },
          },
        ],
      },
      filters: [{ name: 'envoy.filters.generic.router', typed_config: type(`${generic}.router.v3.Router`) }],
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: { ...type('envoy.extensions.access_loggers.file.v3.FileAccessLog'), path: accessLogFile },
        },
      ],
    },
  };
}
