/** KINDS: every kind that the control plane reads. */
import { applicationProtocolKind } from './application-protocol.ts';
import { destinationRuleKind } from './destination-rule.ts';
import { gatewayKind } from './gateway.ts';
import type { KindDefinition } from './kind.ts';
import { metaRouterKind } from './meta-router.ts';
import { redisDestinationKind } from './redis-destination.ts';
import { redisServiceKind } from './redis-service.ts';
import { secretKind } from './secret.ts';
import { serviceEntryKind } from './service-entry.ts';
import { sidecarKind } from './sidecar.ts';
import { virtualServiceKind } from './virtual-service.ts';
import { workloadEntryKind } from './workload-entry.ts';

export const KINDS: readonly KindDefinition<unknown>[] = Object.freeze([
  serviceEntryKind,
  workloadEntryKind,
  destinationRuleKind,
  sidecarKind,
  gatewayKind,
  metaRouterKind,
  virtualServiceKind,
  applicationProtocolKind,
  redisServiceKind,
  redisDestinationKind,
  secretKind,
]);
