/** Which field of a request or a response is which attribute, for routes and for people. */
import type { AttributeSchema } from 'meltemi/codec';
import { CONTENT_ENCODINGS, CONTENT_TYPES, RequestField, ResponseField } from './wire.ts';

/** A number without names is shown as it is, one without a name of its own too. */
export interface AttributeField {
  readonly field: number;
  readonly as: 'text' | 'uint' | 'int';
  readonly names?: readonly string[];
}

/** What differs between requests and responses. */
export interface Side {
  readonly attributes: ReadonlyMap<string, AttributeField>;
  readonly transInfo: number;
}

export const REQUEST_SIDE: Side = {
  attributes: new Map<string, AttributeField>([
    ['caller', { field: RequestField.Caller, as: 'text' }],
    ['callee', { field: RequestField.Callee, as: 'text' }],
    ['func', { field: RequestField.Func, as: 'text' }],
    ['timeout', { field: RequestField.Timeout, as: 'uint' }],
    ['message-type', { field: RequestField.MessageType, as: 'uint' }],
    ['content-type', { field: RequestField.ContentType, as: 'uint', names: CONTENT_TYPES }],
    ['content-encoding', { field: RequestField.ContentEncoding, as: 'uint', names: CONTENT_ENCODINGS }],
  ]),
  transInfo: RequestField.TransInfo,
};

export const RESPONSE_SIDE: Side = {
  attributes: new Map<string, AttributeField>([
    ['ret', { field: ResponseField.Ret, as: 'int' }],
    ['func-ret', { field: ResponseField.FuncRet, as: 'int' }],
    ['error-msg', { field: ResponseField.ErrorMsg, as: 'text' }],
    ['message-type', { field: ResponseField.MessageType, as: 'uint' }],
    ['content-type', { field: ResponseField.ContentType, as: 'uint', names: CONTENT_TYPES }],
    ['content-encoding', { field: ResponseField.ContentEncoding, as: 'uint', names: CONTENT_ENCODINGS }],
  ]),
  transInfo: ResponseField.TransInfo,
};

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  caller: 'Service that calls: `trpc.app.server.service`.',
  callee: 'Service that is called.',
  func: 'What is called: `/trpc.app.server.Service/Method`.',
  timeout: 'How long the caller waits, in milliseconds.',
  'message-type': 'Bits: 1 dyeing, 2 trace, 4 environments, 8 grid, 16 set name.',
  'content-type': '`protobuf`, `json`, …; a number where it has no name.',
  'content-encoding': '`none`, `gzip`, …; a number where it has no name.',
  ret: "The framework's code of a response; 0 is good.",
  'func-ret': "The application's code of a response; 0 is good.",
  'error-msg': 'Why a call failed.',
};

export const ATTRIBUTES: AttributeSchema = {
  fixed: Object.entries(DESCRIPTIONS).map(([key, description]) => ({ key, description, mutable: false })),
  open: { description: "trans_info: the application's own keys.", mutable: true },
  keyCase: 'sensitive',
  hostKey: null,
};

export function isFixed(key: string): boolean {
  return Object.hasOwn(DESCRIPTIONS, key);
}

/** `number` as a varint's low 32 bits, signed. */
export function numberText({ as, names }: AttributeField, number: number): string {
  const value = as === 'int' ? number : number >>> 0;
  return names?.[value] ?? String(value);
}
