import { describe, expect, it } from 'vitest';
import { HOST, RULE, router, SERVICE, TestMesh, testNode, to } from '../../../test/harness/control-mesh.ts';
import { generateFor } from '../../../test/harness/generated.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { ClientResourceStatus, ClientStatus } from '../server/client-status.ts';
import { buildStatus, type ClientView, type StatusReport } from './status-report.ts';
import { renderStatus, renderValidation } from './status-text.ts';

type Change = (resource: ClientResourceStatus) => Partial<ClientResourceStatus>;

/** A mesh of one service, and proxies whose every resource is live but for `changes`. */
function report(files: Record<string, string>, ...changes: Change[]): StatusReport {
  const mesh = new TestMesh();
  mesh.apply({ 's.yaml': SERVICE, 'd.yaml': RULE, 'r.yaml': router(`[{ ${to('v1')} }]`) });
  const translation = mesh.apply({ 's.yaml': SERVICE, 'd.yaml': RULE, ...files });
  const views = changes.map((change, index): ClientView => {
    const node = testNode({ id: `proxy-${index}` });
    const generated = generateFor(translation.mesh, node);
    const resources = generated.resources.map(({ typeUrl, name }): ClientResourceStatus => {
      const live: ClientResourceStatus = {
        typeUrl,
        name,
        state: 'acknowledged',
        version: '1',
        sentVersion: '1',
        acknowledgedVersion: '1',
        liveVersion: '1',
        rejection: null,
        notes: [],
        sentAtMs: 0,
        acknowledgedAtMs: 0,
        liveAtMs: 0,
      };
      return { ...live, ...change(live) };
    });
    const client: ClientStatus = {
      node,
      protocol: 'delta',
      peer: '127.0.0.1:5',
      connectedAtMs: 0,
      resources,
      unsendable: [],
    };
    return { client, generated };
  });
  return buildStatus(translation, views);
}

const live: Change = () => ({});
const rejecting: Change = ({ typeUrl }) =>
  typeUrl === TypeUrl.RouteConfiguration
    ? {
        state: 'rejected',
        rejection: { version: '1', message: 'bad table', atMs: 0 },
        acknowledgedVersion: '0',
        liveVersion: '0',
      }
    : {};
const late: Change = ({ typeUrl }) => (typeUrl === TypeUrl.RouteConfiguration ? { liveVersion: '0' } : {});
const silent: Change = () => ({ liveVersion: null });
const routes = { 'r.yaml': router(`[{ ${to('v1')} }]`) };

function ofRouter(status: StatusReport) {
  return status.resources.find((resource) => resource.kind === 'MetaRouter')!;
}

describe('buildStatus', () => {
  it('counts the proxies on which the newest of a resource is live', () => {
    expect(ofRouter(report(routes, live, live, late))).toMatchObject({
      proxies: 3,
      appliedOn: 2,
      products: [`RouteConfiguration ${HOST}_9090`],
      remarks: [],
    });
    expect(ofRouter(report(routes))).toMatchObject({ proxies: 0, appliedOn: 0 });
  });

  it('says how long after the save it ran everywhere, for proxies that were there at the save', () => {
    const at =
      (liveAtMs: number): Change =>
      () => ({ liveAtMs });
    expect(ofRouter(report(routes, at(1_020), at(1_041))).liveAfterMs).toBe(41);
    expect(ofRouter(report(routes, at(1_020), late)).liveAfterMs).toBeNull();
    expect(ofRouter(report(routes, at(900))).liveAfterMs).toBeNull();
    expect(renderStatus(report(routes, at(1_020)))).toContain(
      'MetaRouter shop/echo (r.yaml:2): applied on 1 of 1 proxy, 20 ms after the save',
    );
  });

  it('does not count a proxy on which a part of a resource is late', () => {
    const lateCluster: Change = ({ name, typeUrl }) =>
      typeUrl === TypeUrl.Cluster && name.includes('|v2|') ? { liveVersion: '0' } : {};
    const service = report(routes, lateCluster).resources.find((resource) => resource.kind === 'ServiceEntry')!;
    expect([service.proxies, service.appliedOn]).toEqual([1, 0]);
  });

  it('goes by the acknowledgement where a client does not tell what is live', () => {
    expect(ofRouter(report(routes, silent))).toMatchObject({ proxies: 1, appliedOn: 1 });
  });

  it('says who rejects what and why, and what proxies note', () => {
    const noting: Change = ({ typeUrl }) =>
      typeUrl === TypeUrl.RouteConfiguration ? { notes: ['12 mutations not carried'] } : {};
    expect(ofRouter(report(routes, rejecting, noting))).toMatchObject({
      proxies: 2,
      appliedOn: 1,
      remarks: [
        { proxy: 'proxy-0', level: 'rejected', product: `RouteConfiguration ${HOST}_9090`, message: 'bad table' },
        {
          proxy: 'proxy-1',
          level: 'note',
          product: `RouteConfiguration ${HOST}_9090`,
          message: '12 mutations not carried',
        },
      ],
    });
  });
});

describe('renderStatus', () => {
  it('puts everything an operator asks on a screen', () => {
    const files = {
      'r.yaml': router('[{ route: 1 }]'),
      'x.yaml': 'a: [1',
      'y.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: s }\n',
      'z.yaml': router('[{ route: 1 }]', 'other'),
    };
    expect(renderStatus(report(files, live, rejecting)).split('\n')).toEqual([
      'x.yaml:1: error: YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
      'x.yaml:1: warning: nothing of this file is used: no earlier version of it is known',
      'DestinationRule shop/echo (d.yaml:2): applied on 2 of 2 proxies',
      'MetaRouter shop/echo (r.yaml:2): INVALID, the last good version stays: applied on 1 of 2 proxies',
      '  r.yaml:7: error: spec.routes[0].route: actual 1, expected a list',
      `  rejected by proxy-1: RouteConfiguration ${HOST}_9090: bad table`,
      'ServiceEntry shop/echo (s.yaml:2): applied on 2 of 2 proxies',
      'ConfigMap default/s (y.yaml:1): the kind is not supported yet, not used',
      'MetaRouter shop/other (z.yaml:2): INVALID, not used: no version of it was valid since the control plane started',
      '  z.yaml:7: error: spec.routes[0].route: actual 1, expected a list',
      '',
      'proxy proxy-0 (sidecar, namespace default, from 127.0.0.1:5, delta): 8 resources, 8 accepted, 8 live, 0 rejected',
      `  connect to 127.0.10.1:9090 for ${HOST}:9090 (thrift)`,
      '',
      'proxy proxy-1 (sidecar, namespace default, from 127.0.0.1:5, delta): 8 resources, 7 accepted, 7 live, 1 rejected',
      `  connect to 127.0.10.1:9090 for ${HOST}:9090 (thrift)`,
      '',
    ]);
  });

  it('says that nobody is there', () => {
    expect(renderStatus(report({}))).toContain('no proxy uses it\n');
    expect(renderStatus(report({}))).toContain('no proxy is connected\n');
  });
});

it('renders what a proxy does not get, and what it notes', () => {
  const files = { ...routes, 's.yaml': SERVICE.replaceAll('metaprotocol-thrift', 'db') };
  const noting: Change = ({ typeUrl }) => (typeUrl === TypeUrl.Cluster ? { notes: ['idle timeout not applied'] } : {});
  expect(renderStatus(report(files, noting))).toContain(
    `\n  on proxy-0: Cluster outbound|9090||${HOST}: idle timeout not applied\n`,
  );
});

describe('renderValidation', () => {
  it('is the findings, as compilers write them, and a count', () => {
    const files = {
      'r.yaml': router('[{ route: 1 }]', 'other'),
      'y.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: s }\n',
    };
    expect(renderValidation(report(files))).toBe(`r.yaml:7: error: spec.routes[0].route: actual 1, expected a list
y.yaml:1: not applied: ConfigMap s: the kind is not supported yet
2 valid, 1 invalid, 1 not supported yet
`);
  });

  it('says that there is nothing to judge', () => {
    expect(renderValidation({ faults: [], resources: [], proxies: [] })).toBe(
      '0 valid, 0 invalid: no .yaml or .yml file has a resource\n',
    );
  });
});
