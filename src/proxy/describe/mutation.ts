/** Header operations of a route or of a weighted cluster, as changes to attributes. */
import type { MutationDescription } from '../../metaprotocol/description.ts';
import type { Reader } from './reader.ts';

/** Reads `<side>HeadersToAdd` and `<side>HeadersToRemove`. */
export function readMutation(owner: Reader, side: 'request' | 'response'): MutationDescription {
  const set: [string, string][] = [];
  const add: [string, string][] = [];
  for (const option of owner.children(`${side}HeadersToAdd`)) {
    const header = option.child('header');
    const key = header?.string('key') ?? '';
    const value = header?.string('value') ?? '';
    header?.end('note');
    if (key === '') option.error('a key is required', 'header.key');
    if (actionOf(option) === 'set') set.push([key, value]);
    else add.push([key, value]);
    option.end('note');
  }
  return { set, add, remove: owner.strings(`${side}HeadersToRemove`) };
}

function actionOf(option: Reader): 'set' | 'add' {
  const append = option.flag('append', true);
  const action = option.string('appendAction', append ? 'APPEND_IF_EXISTS_OR_ADD' : 'OVERWRITE_IF_EXISTS_OR_ADD');
  if (action === 'OVERWRITE_IF_EXISTS_OR_ADD') return 'set';
  if (action !== 'APPEND_IF_EXISTS_OR_ADD') {
    option.error(
      `${action} is not supported; expected APPEND_IF_EXISTS_OR_ADD or OVERWRITE_IF_EXISTS_OR_ADD`,
      'appendAction',
    );
  }
  return 'add';
}
