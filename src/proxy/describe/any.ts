/** Options inside a `google.protobuf.Any` in JSON form: TypedStruct gives its value, any other message its fields. */
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import type { Reader } from './reader.ts';

/** Full name of the message in an Any, TypedStructs looked through; '' where there is none. */
export function messageNameOf(any: Reader): string {
  const url = any.string('@type');
  return messageName(isTypedStruct(url) ? any.string('typeUrl') : url);
}

/** The Any's content as plain JSON. */
export function optionsOf(any: Reader): unknown {
  if (isTypedStruct(any.string('@type'))) {
    any.ignore('typeUrl');
    return any.raw('value') ?? {};
  }
  return Object.fromEntries(any.keys().flatMap((key) => (key === '@type' ? [] : [[key, any.raw(key)]])));
}

function isTypedStruct(typeUrl: string): boolean {
  const name = messageName(typeUrl);
  return name === messageName(TypeUrl.TypedStruct) || name === messageName(TypeUrl.UdpaTypedStruct);
}
