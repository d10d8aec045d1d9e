/** ServerTls: ends TLS of callers. Which certificate is shown is told by the ClientHello, which was read before. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { ConfigError, type ConfigIssue } from '../config-error.ts';
import type { DownstreamTlsDescription } from '../description.ts';
import type { TlsPeer } from '../filter.ts';
import { collect } from '../router/route-table.ts';
import { DuplexWire } from '../wire/duplex-wire.ts';
import type { Wire } from '../wire/wire.ts';
import type { ClientHello } from './client-hello.ts';
import { type Identity, readIdentity, secureContextOf, tlsErrorText } from './secure-context.ts';
import {
  compileSubjectAltName,
  readSubjectAltNames,
  type SubjectAltName,
  type SubjectAltNameTest,
  subjectAltNamesText,
} from './subject-alt-names.ts';

/** Told one of both, once. */
export interface HandshakeOwner {
  onSecure(wire: Wire, peer: TlsPeer): void;
  onHandshakeFailed(why: string): void;
}

interface ServedIdentity extends Identity {
  readonly context: SecureContext;
}

export class ServerTls {
  readonly handshakeTimeoutMs: number;
  readonly #description: DownstreamTlsDescription;
  readonly #identities: readonly ServedIdentity[];
  readonly #callerNames: readonly SubjectAltNameTest[];

  /** `place`: what else may not share its sessions. Throws ConfigError with every fault. */
  constructor(description: DownstreamTlsDescription, place: string, ticketKeys: Buffer) {
    const { certificates, trustedCa, requireClientCertificate } = description;
    const issues: ConfigIssue[] = [];
    // A session that began without a certificate must not be resumed where one is required.
    const sessionIdContext = createHash('sha256').update(place).digest('hex').slice(0, 32);
    const identities: ServedIdentity[] = [];
    for (const [index, certificate] of certificates.entries()) {
      collect(issues, `certificates[${index}]`, () => {
        const identity = readIdentity(certificate);
        const context = secureContextOf(description, identity, { sessionIdContext, ticketKeys });
        identities.push({ ...identity, context });
      });
    }
    if (certificates.length === 0) issues.push({ path: 'certificates', message: 'expected at least one' });
    if (requireClientCertificate && trustedCa === null) {
      issues.push({ path: 'trustedCa', message: 'expected with requireClientCertificate' });
    }
    const callerNames: SubjectAltNameTest[] = [];
    for (const [index, match] of description.subjectAltNames.entries()) {
      collect(issues, `subjectAltNames[${index}]`, () => callerNames.push(compileSubjectAltName(match)));
    }
    if (issues.length > 0) throw new ConfigError(issues);
    this.handshakeTimeoutMs = description.handshakeTimeoutMs;
    this.#description = description;
    this.#identities = identities;
    this.#callerNames = callerNames;
  }

  /** `stream` is as if nothing had been read of it. Closing what it returns ends it all. */
  handshake(stream: Duplex, hello: ClientHello, owner: HandshakeOwner): TLSSocket {
    const { trustedCa, requireClientCertificate, applicationProtocols } = this.#description;
    const socket = new TLSSocket(stream, {
      isServer: true,
      secureContext: this.#contextFor(hello.serverName),
      requestCert: trustedCa !== null,
      rejectUnauthorized: requireClientCertificate,
      ...(applicationProtocols.length === 0 ? {} : { ALPNProtocols: [...applicationProtocols] }),
    });
    // A caller could make the proxy calculate for ever.
    socket.disableRenegotiation();
    let isOver = false;
    const fail = (why: string) => {
      if (isOver) return;
      isOver = true;
      owner.onHandshakeFailed(why);
    };
    // Before and after the handshake: outside of a tls.Server nobody else makes an end of broken records.
    socket.on('_tlsError', (error: Error) => socket.destroy(error));
    socket.on('error', (error: Error) => fail(tlsErrorText(error)));
    socket.on('close', () => fail('the caller closed within the handshake'));
    // Only a stream that flows tells its end. Data comes behind `secure`, in which somebody listens to it.
    const onEnd = () => socket.destroy();
    socket.on('end', onEnd);
    socket.resume();
    socket.on('secure', () => {
      if (isOver || socket.destroyed) return;
      socket.off('end', onEnd);
      const caller = this.#verify(socket);
      if (typeof caller === 'string') {
        fail(caller);
        socket.destroy();
        return;
      }
      isOver = true;
      const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
      const uriSans = caller.filter(({ type }) => type === 'uri').map(({ value }) => value);
      const peer = { serverName: hello.serverName, alpn, uriSans, version: socket.getProtocol() };
      owner.onSecure(new DuplexWire(socket), peer);
    });
    return socket;
  }

  #contextFor(serverName: string | null): SecureContext {
    const [first] = this.#identities;
    if (serverName === null || this.#identities.length === 1) return first!.context;
    return (this.#identities.find(({ leaf }) => leaf.checkHost(serverName) !== undefined) ?? first!).context;
  }

  /** The names of a caller whose certificate is valid, or showed none where none is required; else why not. */
  #verify(socket: TLSSocket): readonly SubjectAltName[] | string {
    if (this.#description.trustedCa === null) return [];
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      return this.#description.requireClientCertificate ? 'the caller showed no certificate' : [];
    }
    const fault = verifyErrorOf(socket);
    if (fault !== null) return `the caller's certificate is not valid: ${fault}`;
    const names = readSubjectAltNames(certificate.subjectAltName ?? '');
    if (this.#callerNames.length > 0 && !names.some((name) => this.#callerNames.some((test) => test(name)))) {
      return `the caller's certificate is for ${subjectAltNamesText(names)}, none of which is accepted`;
    }
    return names;
  }
}

/** What OpenSSL found, which Node tells only of sockets of a tls.Server by a public name. Unknown counts as bad. */
function verifyErrorOf(socket: TLSSocket): string | null {
  const { ssl } = socket as unknown as { ssl: { verifyError?: () => Error | null | undefined } | null };
  if (typeof ssl?.verifyError !== 'function') return 'it could not be verified';
  const error = ssl.verifyError();
  return error === null || error === undefined ? null : tlsErrorText(error);
}
