/** ListenerPlan: a listener as its resource has it, before its route tables and certificates are filled in. */
import type {
  FilterChainDescription,
  InspectionDescription,
  RouteTableDescription,
} from '../../metaprotocol/description.ts';
import type { Address, Direction } from '../../metaprotocol/filter.ts';
import type { DownstreamTlsPlan } from './tls.ts';

/** A listener whose route tables are still named, not filled in. */
export interface ListenerPlan {
  readonly name: string;
  readonly bind: Address;
  readonly serviceAddress: Address;
  readonly direction: Direction;
  readonly chains: readonly ChainPlan[];
  readonly inspection: InspectionDescription;
}

export interface ChainPlan extends Omit<FilterChainDescription, 'routes' | 'tls'> {
  readonly tls: DownstreamTlsPlan | null;
  /** The name of a RouteConfiguration, or the table itself where the listener carries it. */
  readonly routes: string | RouteTableDescription;
}

/** What a chain says before its network filter. */
export type ChainStart = Pick<ChainPlan, 'name' | 'match' | 'tls'>;
