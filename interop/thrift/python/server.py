"""A Wind server on stock Python thrift that answers in whatever transport and protocol it is called. Prints its port."""
import logging
import threading

from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.THeaderTransport import THeaderClientType
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TTransportFactoryBase

from wind import Wind
from wind.ttypes import Forecast

every_client = (
    THeaderClientType.HEADERS,
    THeaderClientType.FRAMED_BINARY,
    THeaderClientType.UNFRAMED_BINARY,
    THeaderClientType.FRAMED_COMPACT,
    THeaderClientType.UNFRAMED_COMPACT,
)


class Handler:
    """Answers with what was observed at the island, so that a caller sees whether its oneway calls arrived."""

    def __init__(self):
        self.call = threading.local()
        self.observed = {}

    def forecast(self, island):
        headers = self.call.protocol.get_headers()
        return Forecast(island, self.observed.get(island, 0), "python", {k.decode(): v.decode() for k, v in headers.items()})

    def warning(self, island):
        raise RuntimeError("no warning for " + island)

    def observe(self, island, beaufort):
        self.observed[island] = self.observed.get(island, 0) + beaufort


class HeaderProcessor(Wind.Processor):
    """Tells the handler the protocol of the call it answers: it has the headers."""

    def __init__(self, handler):
        super().__init__(handler)
        self.call = handler.call

    def process(self, iprot, oprot):
        self.call.protocol = iprot
        return super().process(iprot, oprot)


class FreePortSocket(TServerSocket):
    def listen(self):
        super().listen()
        print(self.handle.getsockname()[1], flush=True)


# The failing handler is meant to fail.
logging.disable()
TThreadedServer(
    HeaderProcessor(Handler()),
    FreePortSocket("127.0.0.1", 0),
    TTransportFactoryBase(),
    THeaderProtocolFactory(allowed_client_types=every_client),
    daemon=True,
).serve()
