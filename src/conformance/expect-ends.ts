/** expectEnds: what samples say of their ends is looked at, since checks believe it. */
import { expectThat } from './expect.ts';
import { feedWire, goOn, isWhole, type Subject, wireOf } from './subject.ts';

export function expectEnds(subject: Subject): void {
  for (const exchange of subject.answered) {
    const { name, request, response } = exchange;
    if (request.end === 'fin') {
      const server = subject.server();
      feedWire(server, { ...wireOf(request), fin: false });
      expectThat(!server.sink.messages.some(isWhole), `request of ${name}: it ends before its connection does`);
    }
    if (request.end === 'close') {
      const server = subject.server();
      feedWire(server, { ...wireOf(request), bytes: Buffer.concat([request.bytes, request.bytes]) });
      goOn(server);
      expectThat(server.sink.goneAway, `request of ${name}: the server codec would read on behind it`);
    }
    if (response.end === undefined) continue;
    const client = subject.asking(subject.request(exchange).message);
    feedWire(client, { ...wireOf(response), fin: false });
    const hasEnded = client.sink.messages.some(({ ended }) => ended);
    if (response.end === 'fin') expectThat(!hasEnded, `response of ${name}: it ends before its connection does`);
    if (response.end === 'fin') client.codec.peerEnded();
    expectThat(client.sink.goneAway, `response of ${name}: the client codec would use its connection again`);
  }
}
