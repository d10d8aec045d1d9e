/**
 * echo-rpc: a small private protocol, the subject of docs/write-a-codec.md.
 *
 *      0       2      3      4          12         16                     16+2+m
 *     +-------+------+------+----------+----------+----------------------+------------------------------+------
 *     | ec 01 | kind | code | id u64be | u32be    | method: u16be + text | headers: u16be + key, value… | body
 *     +-------+------+------+----------+----------+----------------------+------------------------------+------
 *                                       bytes behind the head; `method` in requests only
 */
import { defineCodec, MiB, text, textMap, uint } from 'meltemi/codec';

const codes = { ok: 0, unknown_method: 1, busy: 2, timeout: 3, denied: 4, bad_frame: 5, failed: 6 };

export default defineCodec({
  name: 'echo-rpc',
  version: '1.0.0',
  codecApi: '^1.0.0',
  frame: { magic: [0xec, 0x01], headBytes: 16, length: { at: 12, as: 'u32be', of: 'body' }, limitBytes: 8 * MiB },
  id: { at: 4, as: 'u64be' },
  kind: { at: 2, as: 'u8', request: 0, response: 1, oneway: 2, heartbeat: 3, heartbeatAnswer: 4 },
  outcome: { at: 3, as: 'u8' },
  codes,
  errors: {
    otherwise: 'failed',
    of: {
      no_route: 'unknown_method',
      overloaded: 'busy',
      over_limit: 'busy',
      timeout: 'timeout',
      denied: 'denied',
      malformed: 'bad_frame',
      too_large: 'bad_frame',
    },
  },
  attributes: {
    method: text({ length: 'u16be', on: 'request', description: 'What is called.' }),
    code: uint({ at: 3, as: 'u8', names: codes, on: 'response', description: 'How it went.' }),
  },
  open: textMap({ length: 'u16be', key: 'u8', value: 'u16be', description: 'Headers of the application.' }),
  replaySafe: (request) => request.get('method')?.startsWith('get') === true,
});
