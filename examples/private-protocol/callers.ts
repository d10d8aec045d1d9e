/** Callers that call without pause, each with a new connection now and then, and count who answers. */
import { EchoClient } from '../../plugins/echo-rpc/echo-client.ts';

const CALLERS = 4;
/** Then a caller connects anew. */
const CALLS_A_CONNECTION = 100;
const PAUSE_MS = 2;

export class Callers {
  readonly total = { answered: 0, failed: 0, lastFailure: '' };
  readonly #loops: Promise<void>[] = [];
  #recent = new Map<string, number>();
  #stopped = false;

  start(port: number): void {
    for (let caller = 0; caller < CALLERS; caller++) this.#loops.push(this.#loop(port));
  }

  /** Who answered since the last look. */
  look(): { readonly shareOfV2: number; readonly text: string } {
    const recent = this.#recent;
    this.#recent = new Map();
    const all = [...recent.values()].reduce((sum, count) => sum + count, 0);
    const counts = [...recent].sort().map(([who, count]) => `${who} ${count}`);
    return {
      shareOfV2: (recent.get('v2') ?? 0) / Math.max(1, all),
      text: `${counts.join(', ')}; failed ${this.total.failed}`,
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(port: number): Promise<void> {
    while (!this.#stopped) {
      let client: EchoClient | null = null;
      try {
        client = await EchoClient.connect(port);
        for (let call = 0; call < CALLS_A_CONNECTION && !this.#stopped; call++) await this.#call(client);
      } catch (error) {
        this.total.failed++;
        this.total.lastFailure = `, the last: ${(error as Error).message}`;
      }
      client?.close();
    }
  }

  async #call(client: EchoClient): Promise<void> {
    const answer = await client.call('say');
    if (answer.code !== 0) throw new Error(`code ${answer.code}: ${answer.body}`);
    this.total.answered++;
    const who = answer.headers.server ?? 'nobody';
    this.#recent.set(who, (this.#recent.get(who) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
