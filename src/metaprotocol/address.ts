/** Addresses as text: an IPv6 address stands in brackets where a port may follow. */

export function hostOf({ host }: { readonly host: string }): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function addressOf(address: { readonly host: string; readonly port: number }): string {
  return `${hostOf(address)}:${address.port}`;
}
