/** Paths and targets of HTTP requests as text: visible ASCII, without the fragment that no request has. */

/** What a route's path is compared with: without a query; `*` is that of OPTIONS. Empty: the beginning of any. */
export function isRequestPath(text: string): boolean {
  return /^(\*|\/[!"$->@-~]*)?$/.test(text);
}

/** A path with its query, or a part of it. */
export function isTargetText(text: string): boolean {
  return /^[!"$-~]*$/.test(text);
}
