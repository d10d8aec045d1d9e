/** What the control plane generates of a mesh for one proxy; each resource can go over the wire. */
import { expect } from 'vitest';
import { bindNames } from '../../src/control/generate/bind.ts';
import { BindAllocator } from '../../src/control/generate/bind-allocator.ts';
import type { Generated } from '../../src/control/generate/generated.ts';
import { generateMeltemi } from '../../src/control/generate/meltemi.ts';
import type { Mesh } from '../../src/control/translate/mesh.ts';
import type { NodeInfo } from '../../src/xds/node.ts';
import { Xds } from '../../src/xds/xds.ts';
import { testNode } from './control-mesh.ts';

const xds = Xds.load();

export function generateFor(mesh: Mesh, node: Partial<NodeInfo> = {}, accessLogFile = ''): Generated {
  const binds = new BindAllocator();
  binds.assign(bindNames(mesh));
  const generated = generateMeltemi({ mesh, binds, accessLogFile }, testNode(node));
  for (const each of generated.resources) expect(xds.encodeResource(each), each.name).toMatchObject({ ok: true });
  return generated;
}

export function namesOf({ resources }: Generated, typeUrl: string): string[] {
  return resources.filter((each) => each.typeUrl === typeUrl).map(({ name }) => name);
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into generated JSON
export function resourceOf({ resources }: Generated, typeUrl: string, name: string): any {
  const found = resources.find((each) => each.typeUrl === typeUrl && each.name === name);
  if (found === undefined) throw new Error(`no ${typeUrl} ${name}`);
  return found.value;
}
