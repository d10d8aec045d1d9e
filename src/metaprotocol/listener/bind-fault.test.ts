import { describe, expect, it } from 'vitest';
import { bindFault } from './bind-fault.ts';

describe('bindFault', () => {
  it.each([
    ['EADDRINUSE', 'another process does, such as a second proxy on this host; expected a free address (EADDRINUSE)'],
    ['EADDRNOTAVAIL', 'expected an address of this host (EADDRNOTAVAIL)'],
    ['EACCES', 'this process may not; expected a port from 1024 on, or the right to lower ones (EACCES)'],
    ['ENOBUFS', 'listen ENOBUFS'],
  ])('%s: says the place and what was expected', (code, reason) => {
    const error = Object.assign(new Error(`listen ${code}`), { code });
    expect(bindFault({ host: '127.0.0.9', port: 80 }, error)).toBe(`cannot listen on 127.0.0.9:80: ${reason}`);
  });
});
