/** Why an address cannot be bound, in words for who chose it. */

import { addressOf } from '../address.ts';
import { textOf } from '../error-text.ts';
import type { Address } from '../filter.ts';

export function bindFault(bind: Address, error: unknown): string {
  return `cannot listen on ${addressOf(bind)}: ${reasonOf(error)}`;
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'another process does, such as a second proxy on this host; expected a free address (EADDRINUSE)';
    case 'EADDRNOTAVAIL':
      return 'expected an address of this host (EADDRNOTAVAIL)';
    case 'EACCES':
      return 'this process may not; expected a port from 1024 on, or the right to lower ones (EACCES)';
    default:
      return textOf(error);
  }
}
