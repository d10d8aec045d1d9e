/** checkMutations: a change that the protocol can never carry is a fault of the configuration, not something to skip in silence. */
import type { ConfigIssue } from '../config-error.ts';
import type { MutationDescription } from '../description.ts';
import type { AttributeSchema, MutationCapability, ProtocolManifest } from '../manifest.ts';

/** The protocol of a route table, with the codec options of its chain as they were configured. */
export interface MutableProtocol {
  readonly manifest: ProtocolManifest;
  readonly rawOptions: unknown;
}

/** What a route and its weighted clusters have alike. */
interface Mutations {
  readonly requestMutation: MutationDescription;
  readonly responseMutation: MutationDescription;
}

export function checkMutations(
  mutations: Mutations,
  at: string,
  protocol: MutableProtocol,
  issues: ConfigIssue[],
): void {
  checkMutation(mutations.requestMutation, 'request', at, protocol, issues);
  checkMutation(mutations.responseMutation, 'response', at, protocol, issues);
}

function checkMutation(
  mutation: MutationDescription,
  direction: 'request' | 'response',
  at: string,
  { manifest, rawOptions }: MutableProtocol,
  issues: ConfigIssue[],
): void {
  const keys = [...mutation.set.map(([key]) => key), ...mutation.add.map(([key]) => key), ...mutation.remove];
  if (keys.length === 0) return;
  const path = `${at}.${direction}Mutation`;
  const capability = manifest.capabilities[`${direction}Mutation`];
  const refusal = refusalOf(capability, manifest, rawOptions);
  if (refusal !== null) {
    issues.push({ path, message: `${manifest.name} cannot change a ${direction}${refusal}` });
    return;
  }
  for (const key of keys) {
    if (!isMutable(key, manifest.attributes)) {
      issues.push({ path, message: `${manifest.name} cannot change attribute ${JSON.stringify(key)}` });
    }
  }
}

/** null: some messages at least can carry a change. */
function refusalOf(capability: MutationCapability, manifest: ProtocolManifest, rawOptions: unknown): string | null {
  if (typeof capability === 'boolean') return capability ? null : '';
  const { option, always, sometimes } = capability;
  const configured = (rawOptions as Readonly<Record<string, unknown>> | null | undefined)?.[option];
  const value = configured ?? manifest.options.find(({ key }) => key === option)?.default;
  const carrying = [...always, ...sometimes];
  return carrying.some((one) => one === value)
    ? null
    : ` with ${option} ${JSON.stringify(value)}, expected one of ${carrying.join(', ')}`;
}

function isMutable(key: string, { fixed, open, keyCase }: AttributeSchema): boolean {
  const same = (other: string) => (keyCase === 'sensitive' ? other === key : other.toLowerCase() === key.toLowerCase());
  const known = fixed.find((attribute) => same(attribute.key));
  return known === undefined ? open?.mutable === true : known.mutable;
}
