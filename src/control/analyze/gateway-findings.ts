/** Gateways that no connected proxy serves. */
import type { NodeInfo } from '../../xds/node.ts';
import type { Gateway } from '../translate/mesh.ts';
import { labelsMatch } from '../translate/visibility.ts';

/** By key of the Gateway. Nothing is said while no proxy is connected. */
export function findUnselected(gateways: readonly Gateway[], nodes: readonly NodeInfo[]): Map<string, string> {
  const found = new Map<string, string>();
  if (nodes.length === 0) return found;
  const routers = nodes.filter(({ type }) => type === 'router').map(({ labels }) => new Map(Object.entries(labels)));
  for (const { source, selector } of gateways) {
    if (routers.some((labels) => labelsMatch(selector, labels))) continue;
    const labels = [...selector].map(([key, value]) => `${key}=${value}`).join(', ');
    found.set(
      source,
      routers.length === 0
        ? 'no proxy of type router is connected'
        : `no connected proxy of type router has the labels ${labels}`,
    );
  }
  return found;
}
