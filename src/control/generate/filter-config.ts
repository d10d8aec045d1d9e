/** filterConfig: options of a filter or codec of our own, as any xDS client carries them. */
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';

const TYPE = 'type.googleapis.com/';

/** The type's name says which filter it is for, so that a proxy can name one that it lacks. */
export function filterConfig(filter: string, options: JsonObject): JsonObject {
  return { '@type': TypeUrl.TypedStruct, typeUrl: `${TYPE}meltemi.filter.${filter}`, value: options };
}

export function codecConfig(codec: string, options: JsonObject): JsonObject {
  return { '@type': TypeUrl.TypedStruct, typeUrl: `${TYPE}meltemi.codec.${codec}.Options`, value: options };
}
