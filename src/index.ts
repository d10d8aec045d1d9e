/** The public library: what `import … from 'meltemi'` gives. Re-exports only. */
export { type ControlPlane, type ControlPlaneOptions, createControlPlane } from './control/control-plane.ts';
export * from './metaprotocol/clock.ts';
export * from './metaprotocol/codec.ts';
export * from './metaprotocol/config-error.ts';
export * from './metaprotocol/description.ts';
export * from './metaprotocol/filter.ts';
export * from './metaprotocol/manifest.ts';
export * from './metaprotocol/message.ts';
export type { Plugin } from './metaprotocol/plugin.ts';
export { Registry } from './metaprotocol/registry.ts';
export { type ClusterStatus, DataPlane, type DataPlaneOptions, type EndpointStatus } from './metaprotocol/runtime.ts';
export { StatsStore } from './metaprotocol/stats.ts';
export * from './metaprotocol/status.ts';
export { createProxy, type HttpProxy } from './proxy/create-proxy.ts';
export type { HttpProxyOptions, HttpProxyRoutes, HttpRoute, ValueMatch } from './proxy/http-proxy-options.ts';
export { builtInPlugins } from './proxy/plugins.ts';
export { createProxyProcess, type ProxyProcess, type ProxyProcessOptions } from './proxy/proxy-process.ts';
export { spawnInProcess, spawnThread } from './proxy/workers/worker-handle.ts';
