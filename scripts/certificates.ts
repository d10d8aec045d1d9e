/**
 * A certificate authority for tests and examples, made and gone with them: no openssl and no package needed. Not for production:
 * its keys are in memory only and nothing can be revoked.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM texts. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** Subject alternative names: DNS names (`*.` too), IP addresses and URIs. */
  readonly names: readonly string[];
  /** From now; negative: expired. Default 30. */
  readonly days?: number;
}

const DAY_MS = 86_400_000;
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

export class CertificateAuthority {
  /** PEM: what clients trust. */
  readonly certificate: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name = 'Meltemi throw-away CA') {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = name;
    this.#key = privateKey;
    const extensions = [
      extension('2.5.29.19', true, sequence(tagged(0x01, Buffer.of(0xff)))),
      extension('2.5.29.15', true, tagged(0x03, Buffer.of(1, 0x06))),
    ];
    this.certificate = certificateOf(name, privateKey, name, createPublicKey(privateKey), 3_650, extensions);
  }

  issue({ names, days = 30 }: CertificateRequest): Certificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const extensions = [extension('2.5.29.17', false, sequence(...names.map(generalName)))];
    const subject = names[0] ?? 'nobody';
    return {
      certificate: certificateOf(this.#name, this.#key, subject, publicKey, days, extensions),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  }
}

function certificateOf(
  issuer: string,
  issuerKey: KeyObject,
  subject: string,
  publicKey: KeyObject,
  days: number,
  extensions: readonly Buffer[],
): string {
  const nowMs = Date.now();
  const serial = randomBytes(16);
  // A positive number without a leading zero byte.
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const signed = sequence(
    tagged(0xa0, tagged(0x02, Buffer.of(2))),
    tagged(0x02, serial),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(nowMs - 400 * DAY_MS), time(nowMs + days * DAY_MS)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const der = sequence(signed, ECDSA_SHA256, bits(sign('sha256', signed, issuerKey)));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  // 64 characters are all that a common name may have; the names that count are in the extension.
  return sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName.slice(0, 64))))));
}

function generalName(name: string): Buffer {
  const version = isIP(name);
  if (version === 4) return tagged(0x87, Buffer.from(name.split('.').map(Number)));
  if (version === 6) return tagged(0x87, ipv6(name));
  return name.includes('://') ? tagged(0x86, Buffer.from(name)) : tagged(0x82, Buffer.from(name));
}

function ipv6(address: string): Buffer {
  const [left = '', right] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const [head, tail] = [words(left), words(right ?? '')];
  const all = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [tagged(0x01, Buffer.of(0xff))] : []), tagged(0x04, value));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  // Until 2050 years have two digits (RFC 5280 §4.1.2.5).
  return digits < '2050' ? tagged(0x17, Buffer.from(`${digits.slice(2)}Z`)) : tagged(0x18, Buffer.from(`${digits}Z`));
}

function bits(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** DER: tag, length, content. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
