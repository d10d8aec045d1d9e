/** TlsConnector: opens upstream connections with TLS of one cluster. They are open when the server is known to be the right one. */
import { isIP, type TcpNetConnectOpts } from 'node:net';
import {
  type ConnectionOptions as ConnectOptions,
  connect,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { addressOf } from '../address.ts';
import { ConfigError, type ConfigIssue } from '../config-error.ts';
import type { SubjectAltNameMatch, UpstreamTlsDescription } from '../description.ts';
import type { Address } from '../filter.ts';
import { collect } from '../router/route-table.ts';
import type { Counter, StatsScope } from '../stats.ts';
import type { ReadBuffer } from '../wire/read-buffer.ts';
import { readsInto, SharedReadWire } from '../wire/socket-wire.ts';
import { surviveFailedWrites } from '../wire/survive-failed-writes.ts';
import type { Connector, Wire, WireHandler } from '../wire/wire.ts';
import { readIdentity, secureContextOf, tlsErrorText } from './secure-context.ts';
import {
  compileSubjectAltName,
  readSubjectAltNames,
  type SubjectAltNameTest,
  subjectAltNamesText,
} from './subject-alt-names.ts';

/** Endpoints come and go: of more than these the one that was met longest ago is forgotten. */
const SESSIONS = 1_000;

export class TlsConnector implements Connector {
  readonly #description: UpstreamTlsDescription;
  readonly #context: SecureContext;
  readonly #names: readonly SubjectAltNameTest[];
  readonly #wanted: string;
  readonly #buffer: ReadBuffer;
  readonly #handshakes: Counter;
  readonly #resumed: Counter;
  readonly #errors: Counter;
  /** The newest of each endpoint, of servers that were verified. */
  readonly #sessions = new Map<string, Buffer>();

  /** Throws ConfigError with every fault. */
  constructor(description: UpstreamTlsDescription, buffer: ReadBuffer, stats: StatsScope) {
    const issues: ConfigIssue[] = [];
    const names: SubjectAltNameTest[] = [];
    const { certificate, serverName, subjectAltNames, trustedCa } = description;
    // Without names it is the one of SNI that has to be in the certificate.
    const wanted = subjectAltNames.length > 0 ? subjectAltNames : namedBy(serverName);
    for (const [index, match] of wanted.entries()) {
      collect(issues, `subjectAltNames[${index}]`, () => names.push(compileSubjectAltName(match)));
    }
    if (subjectAltNames.length > 0 && trustedCa === null) {
      issues.push({ path: 'subjectAltNames', message: 'anybody can claim a name: expected trustedCa too' });
    }
    let context: SecureContext | null = null;
    collect(issues, certificate === null ? '' : 'certificate', () => {
      const identity = certificate === null ? null : readIdentity(certificate);
      context = secureContextOf(description, identity);
    });
    if (issues.length > 0 || context === null) throw new ConfigError(issues);
    this.#description = description;
    this.#context = context;
    this.#names = names;
    this.#wanted = wanted.map(({ type, test }) => `${type} ${test.kind} ${test.value}`).join(' or ');
    this.#buffer = buffer;
    this.#handshakes = stats.counter('upstream_tls_handshakes_total');
    this.#resumed = stats.counter('upstream_tls_sessions_resumed_total');
    this.#errors = stats.counter('upstream_tls_handshake_errors_total');
  }

  connect(to: Address): Wire {
    const { applicationProtocols, serverName, trustedCa } = this.#description;
    const place = addressOf(to);
    const session = this.#sessions.get(place);
    let wire: TlsClientWire | null = null;
    const options: ConnectOptions & TcpNetConnectOpts = {
      host: to.host,
      port: to.port,
      noDelay: true,
      allowHalfOpen: true,
      secureContext: this.#context,
      rejectUnauthorized: trustedCa !== null,
      checkServerIdentity: (_host, certificate) => this.#faultOf(certificate),
      onread: readsInto(this.#buffer, () => wire),
      // SNI carries no addresses.
      ...(serverName === null || isIP(serverName) !== 0 ? {} : { servername: serverName }),
      ...(applicationProtocols.length === 0 ? {} : { ALPNProtocols: [...applicationProtocols] }),
      ...(session === undefined ? {} : { session }),
    };
    const socket = connect(options);
    surviveFailedWrites(socket);
    this.#watch(socket, place);
    wire = new TlsClientWire(socket, this.#buffer);
    return wire;
  }

  #watch(socket: TLSSocket, place: string): void {
    let isConnected = false;
    let isSecure = false;
    let unverified: Buffer | null = null;
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once('secureConnect', () => {
      isSecure = true;
      this.#handshakes.add();
      if (socket.isSessionReused()) this.#resumed.add();
      if (unverified !== null) this.#keep(place, unverified);
    });
    // A resumed session is not verified again, so only one of a verified server is kept. TLS 1.2 tells it before that is known.
    socket.on('session', (session) => {
      if (isSecure) this.#keep(place, session);
      else unverified = session;
    });
    // The first to hear of it: what the caller's answer and the access log say is this text.
    socket.on('error', (error) => {
      // Broken records are an error that ends nothing by itself.
      socket.destroy();
      if (!isConnected) return;
      // With TLS 1.3 a server says only behind the handshake that it wants a certificate.
      if (isSecure && !('reason' in error)) return;
      this.#errors.add();
      this.#sessions.delete(place);
      error.message = `TLS: ${faultText(error)}`;
    });
  }

  #keep(place: string, session: Buffer): void {
    this.#sessions.delete(place);
    this.#sessions.set(place, session);
    if (this.#sessions.size > SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!);
  }

  /** undefined: it is whom we want. Called for certificates of trusted issuers, and for any if none are named. */
  #faultOf(certificate: PeerCertificate): Error | undefined {
    if (this.#description.trustedCa === null || this.#names.length === 0) return undefined;
    const names = readSubjectAltNames(certificate.subjectaltname ?? '');
    if (names.some((name) => this.#names.some((test) => test(name)))) return undefined;
    return new Error(`the certificate is for ${subjectAltNamesText(names)}; expected ${this.#wanted}`);
  }
}

class TlsClientWire extends SharedReadWire {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket, buffer: ReadBuffer) {
    super(socket, buffer);
    this.#socket = socket;
  }

  override open(handler: WireHandler): void {
    this.#socket.once('secureConnect', () => handler.onOpen());
    super.open(handler);
  }
}

function namedBy(serverName: string | null): readonly SubjectAltNameMatch[] {
  if (serverName === null) return [];
  const test = { kind: 'exact', value: serverName, ignoreCase: false } as const;
  return [{ type: isIP(serverName) === 0 ? 'dns' : 'ip', test }];
}

/** Codes of OpenSSL's verification say what kind of fault it is; its handshake errors have a library. */
function faultText(error: Error): string {
  const { code = '' } = error as { code?: string };
  const isVerification = /^[A-Z_]+$/.test(code) && !/^(?:ERR_|E[A-Z]+$)/.test(code);
  return isVerification ? `the certificate is not accepted: ${tlsErrorText(error)}` : tlsErrorText(error);
}
