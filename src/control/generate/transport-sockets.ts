/** TLS as Envoy's transport sockets: towards callers, towards servers, and the Secrets that bring certificates over xDS. */
import { isIP } from 'node:net';
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { TlsCredential } from '../translate/credentials.ts';
import type { ServerTls, UpstreamTls } from '../translate/mesh.ts';

const NAME = 'envoy.transport_sockets.tls';

export function downstreamTls(tls: ServerTls, alpnProtocols: readonly string[]): JsonObject {
  const tlsParams: JsonObject = { tlsMinimumProtocolVersion: tls.minimumVersion };
  if (tls.maximumVersion !== null) tlsParams.tlsMaximumProtocolVersion = tls.maximumVersion;
  if (tls.cipherSuites.length > 0) tlsParams.cipherSuites = [...tls.cipherSuites];
  const commonTlsContext: JsonObject = { tlsParams };
  if (alpnProtocols.length > 0) commonTlsContext.alpnProtocols = [...alpnProtocols];
  if (tls.certificates.length > 0)
    commonTlsContext.tlsCertificates = tls.certificates.map(({ certificateFile, keyFile }) => ({
      certificateChain: { filename: certificateFile },
      privateKey: { filename: keyFile },
    }));
  if (tls.credentials.length > 0)
    commonTlsContext.tlsCertificateSdsSecretConfigs = tls.credentials.map((name) => ({
      name: secretName(name),
      sdsConfig: { ads: {}, resourceApiVersion: 'V3' },
    }));
  return { name: NAME, typedConfig: { '@type': TypeUrl.DownstreamTlsContext, commonTlsContext } };
}

/** `ca`: PEM, where the CA comes from a Secret. */
export function upstreamTls(tls: UpstreamTls, ca: string | null): JsonObject {
  const commonTlsContext: JsonObject = {};
  if (tls.ca !== null) {
    commonTlsContext.validationContext = {
      ...(tls.ca === 'system'
        ? { systemRootCerts: {} }
        : { trustedCa: 'file' in tls.ca ? { filename: tls.ca.file } : { inlineString: ca ?? '' } }),
      matchTypedSubjectAltNames: tls.subjectAltNames.map((name) => ({
        sanType: sanType(name),
        matcher: { exact: name },
      })),
    };
  }
  return { name: NAME, typedConfig: { '@type': TypeUrl.UpstreamTlsContext, sni: tls.sni, commonTlsContext } };
}

function sanType(name: string): string {
  if (name.includes('://')) return 'URI';
  return isIP(name) === 0 ? 'DNS' : 'IP_ADDRESS';
}

/** null: the Secret has no certificate. */
export function secretResource(credential: string, { pair }: TlsCredential): XdsResource | null {
  if (pair === null) return null;
  const name = secretName(credential);
  const tlsCertificate = {
    certificateChain: { inlineString: pair.certificate },
    privateKey: { inlineString: pair.key },
  };
  return { typeUrl: TypeUrl.Secret, name, value: { name, tlsCertificate } };
}

/** As Istio calls it. */
function secretName(credential: string): string {
  return `kubernetes://${credential}`;
}
