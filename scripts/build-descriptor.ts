/**
 * Writes build/xds/descriptor.json: the protobuf messages Meltemi speaks, pruned from the Envoy API files in the npm
 * package @grpc/grpc-js-xds and from src/xds/proto. Parsing them costs a quarter second, so it is done once, at `npm ci`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import protobuf from 'protobufjs';

const packageRoot = resolve(import.meta.dirname, '..');
const ownProtos = join(packageRoot, 'src/xds/proto');

/** Files whose every message is wanted, with the messages they refer to. */
const wantedFiles = [
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/extensions/access_loggers/file/v3/file.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/filters/http/cors/v3/cors.proto',
  'envoy/extensions/filters/http/fault/v3/fault.proto',
  'envoy/extensions/filters/http/jwt_authn/v3/config.proto',
  'envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto',
  'envoy/extensions/filters/http/ratelimit/v3/rate_limit.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto',
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/filters/network/rbac/v3/rbac.proto',
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'envoy/extensions/transport_sockets/tls/v3/secret.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/service/discovery/v3/discovery.proto',
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/status/v3/csds.proto',
  'google/rpc/status.proto',
  'udpa/type/v1/typed_struct.proto',
  'xds/type/v3/typed_struct.proto',
];

/** Well-known types; protobufjs carries their files. */
const wantedTypes = [
  'Any',
  'BoolValue',
  'BytesValue',
  'DoubleValue',
  'Duration',
  'Empty',
  'FloatValue',
  'Int32Value',
  'Int64Value',
  'StringValue',
  'Struct',
  'Timestamp',
  'UInt32Value',
  'UInt64Value',
].map((name) => `google.protobuf.${name}`);

interface TypeJson {
  edition?: string;
  oneofs?: Record<string, { oneof: string[] }>;
  fields?: Record<string, unknown>;
  values?: Record<string, number>;
  nested?: Record<string, TypeJson>;
}

/** The descriptor as protobufjs reads it (`Root.fromJSON`), built from the installed packages. */
export function buildDescriptor(): TypeJson {
  const pruned: TypeJson = { nested: {} };
  for (const type of closure(parse())) place(pruned, type);
  // Resolves every reference: a hole is found here and not at a user's start.
  protobuf.Root.fromJSON(structuredClone(pruned) as protobuf.INamespace).resolveAll();
  return pruned;
}

function parse(): protobuf.Type[] {
  const deps = join(dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')), 'deps');
  const includes = [
    ownProtos,
    join(deps, 'envoy-api'),
    join(deps, 'xds'),
    join(deps, 'googleapis'),
    join(deps, 'protoc-gen-validate'),
    dirname(createRequire(import.meta.url).resolve('protobufjs/package.json')),
  ];
  const locate = (file: string): string | null =>
    includes.map((folder) => join(folder, file)).find((path) => existsSync(path)) ?? null;
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('/') ? target : (locate(target) ?? target));
  const own = readdirSync(ownProtos, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.proto'));
  const files = [...wantedFiles, ...own.sort()].map((file) => {
    const path = locate(file);
    if (path === null) throw new Error(`${file}: not found in ${includes.join(', ')}`);
    return path;
  });
  root.loadSync(files);
  root.resolveAll();
  const wanted = wantedTypes.map((name) => root.lookupType(name));
  const wantedPaths = new Set<string | null>(files);
  visitTypes(root, (type) => {
    if (wantedPaths.has(type.filename)) wanted.push(type);
  });
  return wanted;
}

function visitTypes(namespace: protobuf.NamespaceBase, visit: (type: protobuf.Type) => void): void {
  for (const child of namespace.nestedArray) {
    if (child instanceof protobuf.Type) visit(child);
    if (child instanceof protobuf.Namespace) visitTypes(child, visit);
  }
}

function closure(wanted: protobuf.Type[]): protobuf.ReflectionObject[] {
  const seen = new Set<protobuf.ReflectionObject>();
  const queue: protobuf.ReflectionObject[] = [...wanted];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (!(next instanceof protobuf.Type)) continue;
    for (const field of next.fieldsArray) {
      if (field.resolvedType !== null) queue.push(field.resolvedType);
    }
  }
  return [...seen].sort((a, b) => (a.fullName < b.fullName ? -1 : 1));
}

function place(pruned: TypeJson, type: protobuf.ReflectionObject): void {
  let at = pruned;
  for (const part of type.fullName.slice(1).split('.')) {
    at.nested ??= {};
    at = at.nested[part] ??= {};
  }
  // Every file of the closure is proto3; protobufjs wants the edition on the outermost type only.
  if (!(type.parent instanceof protobuf.Type)) at.edition = 'proto3';
  if (type instanceof protobuf.Enum) at.values = { ...type.values };
  if (!(type instanceof protobuf.Type)) return;
  at.fields = {};
  for (const field of type.fieldsArray) {
    at.fields[jsonName(field)] = {
      ...(field instanceof protobuf.MapField ? { keyType: field.keyType } : {}),
      ...(field.repeated ? { rule: 'repeated' } : {}),
      type: field.resolvedType === null ? field.type : field.resolvedType.fullName,
      id: field.id,
      ...(field.options?.proto3_optional === true ? { options: { proto3_optional: true } } : {}),
    };
  }
  for (const oneof of type.oneofsArray) {
    at.oneofs ??= {};
    at.oneofs[oneof.name] = { oneof: oneof.fieldsArray.map(jsonName) };
  }
}

/** Fields carry their JSON names, so that messages, proto3 JSON and our code agree; snake case is accepted on input. */
function jsonName(field: protobuf.Field): string {
  return protobuf.util.jsonName(field.protoName ?? field.name);
}

const notice = `descriptor.json is derived from these files, each under the Apache License 2.0 (see LICENSE):
- Envoy API (https://github.com/envoyproxy/envoy), Copyright the Envoy Project Authors
- xDS API (https://github.com/cncf/xds), Copyright the xDS Project Authors
- Google APIs (https://github.com/googleapis/googleapis), Copyright Google LLC
- the messages of Meltemi (src/xds/proto)

The well-known types of google.protobuf in it are under this licence:

Copyright 2008 Google Inc. All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:
    * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
      disclaimer.
    * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
      following disclaimer in the documentation and/or other materials provided with the distribution.
    * Neither the name of Google Inc. nor the names of its contributors may be used to endorse or promote products
      derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
`;

if (import.meta.main) {
  const folder = join(packageRoot, 'build/xds');
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify(buildDescriptor())}\n`;
  const path = join(folder, 'descriptor.json');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  writeFileSync(join(folder, 'NOTICE'), notice);
}
