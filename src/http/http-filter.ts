/**
 * The HTTP filter: what every HTTP request gets (x-request-id, x-forwarded-*), and what its route asks for (rewrite, redirect,
 * direct response). It stands in every HTTP chain, next to the router.
 */

import { addressOf } from '../metaprotocol/address.ts';
import type { Filter, FilterContext, FilterFactory, Stream } from '../metaprotocol/filter.ts';
import { FilterStatus } from '../metaprotocol/filter.ts';
import type { ByteRange, RequestMessage, ResponseMessage } from '../metaprotocol/message.ts';
import { Status, statusOf } from '../metaprotocol/status.ts';
import { type HttpRouteOptions, parseHttpRouteOptions } from './http-route-options.ts';
import { rewritePath } from './path-rewrite.ts';
import { redirectLocation } from './redirect-location.ts';
import { RequestIds } from './request-ids.ts';

export const HTTP_FILTER = 'http';
const NO_BODY = Buffer.alloc(0);

class HttpFilter implements Filter {
  readonly #options: HttpRouteOptions;
  readonly #index: number;
  readonly #ids = new RequestIds();

  constructor(options: HttpRouteOptions, context: FilterContext) {
    this.#options = options;
    this.#index = context.index;
  }

  onRequest(stream: Stream, request: RequestMessage): FilterStatus {
    if (request.get(':method') === 'CONNECT') {
      // A tunnel to anywhere is nothing that a route to a service means.
      stream.reply(statusOf(Status.no_route, 'CONNECT is not routed'));
      return FilterStatus.Stop;
    }
    const { downstream } = stream;
    // At an edge a target that says https is a claim.
    const claimsHttps = downstream.direction !== 'gateway' && request.get(':scheme') === 'https';
    const scheme = downstream.tls !== null || claimsHttps ? 'https' : 'http';
    if (request.get('x-request-id') === undefined) addId(request, this.#ids.next());
    if (downstream.direction === 'gateway') {
      // From outside: the address is added to what the caller claims, its scheme is known here only.
      const claimed = request.get('x-forwarded-for');
      const { host } = downstream.source;
      request.set('x-forwarded-for', claimed === undefined ? host : `${claimed}, ${host}`);
      request.set('x-forwarded-proto', scheme);
    } else if (request.get('x-forwarded-proto') === undefined) {
      request.add('x-forwarded-proto', scheme);
    }
    const { path, authority, redirect, direct } = this.#optionsOf(stream);
    if (direct !== null) {
      stream.reply({ ...statusOf(Status.no_error, 'direct response', direct.status), body: direct.body });
      return FilterStatus.Stop;
    }
    if (redirect !== null) {
      stream.slots[this.#index] = redirectLocation(redirect, request, scheme, downstream.originalDestination);
      stream.reply({ ...statusOf(Status.no_error, 'redirect', redirect.status), body: NO_BODY });
      return FilterStatus.Stop;
    }
    if (path !== null) request.set(':path', rewritePath(request.get(':path') ?? '/', path));
    if (authority !== null) request.set(':authority', authority);
    // Nobody is named, as in HTTP/1.0: servers refuse an empty Host in HTTP/1.1.
    else if (request.get(':authority') === '') request.set(':authority', addressOf(downstream.originalDestination));
    return FilterStatus.Continue;
  }

  onResponse(stream: Stream, response: ResponseMessage): FilterStatus {
    if (this.#optionsOf(stream).redirect === null) return FilterStatus.Continue;
    const location = stream.slots[this.#index];
    if (typeof location === 'string') response.set('location', location);
    return FilterStatus.Continue;
  }

  #optionsOf(stream: Stream): HttpRouteOptions {
    return (stream.route?.optionsOf(this.#index) as HttpRouteOptions | undefined) ?? this.#options;
  }
}

function addId(request: RequestMessage, id: ByteRange): void {
  if (request.addBytes === undefined) request.add('x-request-id', id.bytes.toString('latin1', id.from, id.to));
  else request.addBytes('x-request-id', id);
}

export const httpFilter: FilterFactory<HttpRouteOptions> = {
  name: HTTP_FILTER,
  parseOptions: parseHttpRouteOptions,
  create: (options, context) => new HttpFilter(options, context),
};
