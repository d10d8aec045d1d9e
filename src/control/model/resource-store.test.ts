import { describe, expect, it } from 'vitest';
import { HOST, SERVICE, TestMesh } from '../../../test/harness/control-mesh.ts';
import type { Inventory } from './resource-store.ts';

function keys(inventory: Inventory): string[] {
  return [...inventory.entries.keys()].sort();
}

const workload = (name: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name} }\nspec: { address: 10.0.0.1 }\n`;

describe('ResourceStore', () => {
  it('follows files that come, change and go', () => {
    const mesh = new TestMesh();
    expect(keys(mesh.inventory({ 'a.yaml': workload('a'), 'b.yaml': workload('b') }))).toEqual([
      'WorkloadEntry/default/a',
      'WorkloadEntry/default/b',
    ]);
    expect(keys(mesh.inventory({ 'a.yaml': workload('c') }))).toEqual(['WorkloadEntry/default/c']);
  });

  it.each(['', '# nothing\n', 'a: [1\n', 'kind: Half'])(
    'keeps what a file held when it becomes %j, and says so',
    (broken) => {
      const mesh = new TestMesh();
      mesh.inventory({ 'a.yaml': workload('a') });
      for (let turn = 0; turn < 2; turn++) {
        const inventory = mesh.inventory({ 'a.yaml': broken });
        expect(keys(inventory)).toEqual(['WorkloadEntry/default/a']);
        const { resource, findings } = inventory.entries.get('WorkloadEntry/default/a')!;
        expect([resource !== null, findings.map((finding) => finding.message)]).toEqual([
          true,
          ['its file is empty or broken: this version stays until the file is repaired or removed'],
        ]);
      }
      expect(keys(mesh.inventory({}))).toEqual([]);
    },
  );

  it('says of a file that is broken from the start that nothing of it is used', () => {
    const said = (inventory: Inventory) =>
      inventory.faults.map(({ level, place, message }) => `${level} ${place.file} ${message}`);
    const mesh = new TestMesh();
    expect(said(mesh.inventory({ 'a.yaml': 'a: [1\n', 'b.yaml': '' }))).toEqual([
      expect.stringMatching(/^error a.yaml /),
      expect.stringMatching(/^warning a.yaml nothing of this file is used: /),
    ]);
    mesh.inventory({ 'a.yaml': workload('a') });
    expect(said(mesh.inventory({ 'a.yaml': 'a: [1\n' }))).toEqual([expect.stringMatching(/^error a.yaml /)]);
  });

  it('takes the readable documents of a file whose others are broken', () => {
    const mesh = new TestMesh();
    mesh.inventory({ 'a.yaml': `${workload('a')}---\n${workload('b')}` });
    const inventory = mesh.inventory({ 'a.yaml': `${workload('a').replace('10.0.0.1', '10.0.0.2')}---\nkind: Half\n` });
    expect(keys(inventory)).toEqual(['WorkloadEntry/default/a', 'WorkloadEntry/default/b']);
    expect(inventory.entries.get('WorkloadEntry/default/a')!.resource!.spec).toMatchObject({ address: '10.0.0.2' });
  });

  it('uses the first of two resources with one name and says where it is', () => {
    const inventory = new TestMesh().inventory({ 'a.yaml': workload('a'), 'b.yaml': workload('a') });
    expect(inventory.faults.map(({ place, message }) => `${place.file} ${message}`)).toEqual([
      'b.yaml WorkloadEntry/default/a stands already in a.yaml:1, which is used; expected once',
    ]);
  });

  it('says of kinds and versions it does not know that they are not used', () => {
    const inventory = new TestMesh().inventory({
      'a.yaml': 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\n',
      'b.yaml': workload('b').replace('io/v1', 'io/v9'),
    });
    expect([...inventory.entries.values()].map(({ supported, findings }) => [supported, findings[0]?.message])).toEqual(
      [
        [false, undefined],
        [
          true,
          'actual networking.istio.io/v9, expected one of networking.istio.io/v1, networking.istio.io/v1beta1, networking.istio.io/v1alpha3',
        ],
      ],
    );
  });

  it('keeps kinds of one name and several groups apart', () => {
    const gateway = (group: string) =>
      `apiVersion: ${group}/v1\nkind: Gateway\nmetadata: { name: a }\nspec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }\n`;
    const inventory = new TestMesh().inventory({
      'a.yaml': gateway('gateway.networking.k8s.io'),
      'b.yaml': gateway('networking.istio.io'),
    });
    expect(inventory.faults).toEqual([]);
    expect(keys(inventory)).toEqual(['Gateway.gateway.networking.k8s.io/default/a', 'Gateway/default/a']);
    expect(inventory.entries.get('Gateway/default/a')!.resource).not.toBeNull();
    const slip = new TestMesh();
    slip.inventory({ 'b.yaml': gateway('networking.istio.io') });
    expect(keys(slip.inventory({ 'b.yaml': gateway('networking.istio.oi') }))).toEqual(['Gateway/default/a']);
  });

  it('takes a slip in a kind or its group for no kind that is not built yet', () => {
    const inventory = new TestMesh().inventory({
      'a.yaml': workload('a').replace('WorkloadEntry', 'WorkloadEntri'),
      'b.yaml': workload('b').replace('istio.io', 'istio.example'),
    });
    const told = [...inventory.entries.values()].flatMap(({ findings }) => findings);
    expect(told.map(({ level, path, message }) => `${level} ${path}: ${message}`)).toEqual([
      expect.stringMatching(/^error kind: actual WorkloadEntri, expected one of .*; did you mean WorkloadEntry\?$/),
      'warning apiVersion: actual networking.istio.example/v1; WorkloadEntry is read of networking.istio.io',
    ]);
  });

  it('tells all faults of a resource, each with line, path, actual and expected', () => {
    const text = SERVICE.replace('number: 9090', 'number: 0')
      .replace('resolution: STATIC', 'resolution: static')
      .replace('address: 127.0.0.1,', 'address: 1,');
    const { findings, resource } = new TestMesh().inventory({ 's.yaml': text }).entries.get('ServiceEntry/shop/echo')!;
    expect(resource).toBeNull();
    expect(findings.map(({ place, path, message }) => `${place.line} ${path}: ${message}`)).toEqual([
      '9 spec.ports[0].number: actual 0, expected at least 1',
      '10 spec.resolution: actual "static", expected one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS',
      '12 spec.endpoints[0].address: actual 1, expected a text (quote numbers and booleans)',
    ]);
  });

  it('leaves unknown fields out with a hint, and still checks the rest', () => {
    const text = SERVICE.replace(`hosts: [${HOST}]`, `hosts: [${HOST}]\n  adresses: [1.2.3.4]\n  whatever: 1`);
    const { findings, resource } = new TestMesh().inventory({ 's.yaml': text }).entries.get('ServiceEntry/shop/echo')!;
    expect(resource?.spec).not.toHaveProperty('whatever');
    expect(findings.map(({ level, place, path, message }) => `${level} ${place.line} ${path}: ${message}`)).toEqual([
      'warning 7 spec.adresses: unknown field, not applied; did you mean addresses?',
      'warning 8 spec.whatever: unknown field, not applied',
    ]);
  });
});
