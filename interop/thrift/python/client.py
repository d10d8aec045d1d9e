"""Calls a Wind service as stock Python clients of every transport and protocol do; prints a line per check, exits 1 if one failed.

    client.py HOST PORT [--mesh]     --mesh: also checks what only the mesh's routes do
"""
import sys
import time

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.Thrift import TApplicationException, TMessageType
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TFramedTransport

from wind import Wind

host, port, mesh = sys.argv[1], int(sys.argv[2]), "--mesh" in sys.argv
protocols = {"binary": TBinaryProtocol, "compact": TCompactProtocol}
subprotocols = {"binary": THeaderSubprotocolID.BINARY, "compact": THeaderSubprotocolID.COMPACT}
failed = 0


def connect(transport, protocol):
    socket = TSocket(host, port)
    socket.setTimeout(5000)
    socket.open()
    if transport == "theader":
        return THeaderProtocol(socket, (THeaderClientType.HEADERS,), subprotocols[protocol])
    wrap = {"framed": TFramedTransport, "buffered": TBufferedTransport}[transport]
    return protocols[protocol](wrap(socket))


def check(name, call):
    global failed
    try:
        problem = call()
    except Exception as error:
        problem = "%s: %s" % (type(error).__name__, error)
    if problem:
        failed += 1
    print("%-18s %-24s %s" % (combination, name, problem or "ok"), flush=True)


def expect(actual, expected):
    return None if actual == expected else "got %r, expected %r" % (actual, expected)


def expect_exception(call, kind, text):
    try:
        return "no exception but %r" % (call(),)
    except TApplicationException as error:
        fits = error.type == kind and text in (error.message or "")
        return None if fits else "type %d %r, expected type %d with %r" % (error.type, error.message, kind, text)


def long_call():
    island = "Naxos" * 20_000
    return expect(client.forecast(island).island, island)


def many_calls():
    return expect([client.forecast("Ios %d" % n).island for n in range(100)], ["Ios %d" % n for n in range(100)])


def oneway():
    island = "Paros " + combination
    before = client.forecast(island).beaufort
    for _ in range(5):
        client.observe(island, 2)
    for _ in range(40):
        seen = client.forecast(island).beaufort - before
        if seen == 10:
            return None
        time.sleep(0.05)
    return "observed %d, expected 10" % seen


def unknown_method():
    def call():
        protocol.writeMessageBegin("typhoon", TMessageType.CALL, 7)
        Wind.forecast_args("Kea").write(protocol)
        protocol.writeMessageEnd()
        protocol.trans.flush()
        return client.recv_forecast()

    return expect_exception(call, TApplicationException.UNKNOWN_METHOD, "typhoon")


def header():
    protocol.set_header(b"tier", b"gold")
    return expect(client.forecast("Tinos").headersSeen.get("tier"), "gold")


for transport in ("framed", "buffered", "theader"):
    for protocol_name in ("binary", "compact"):
        combination = transport + " " + protocol_name
        protocol = connect(transport, protocol_name)
        client = Wind.Client(protocol)
        check("answer", lambda: expect(client.forecast("Mýkonos").island, "Mýkonos"))
        check("100 KB", long_call)
        check("100 calls, all id 0", many_calls)
        check("oneway", oneway)
        check("unknown method", unknown_method)
        if transport == "theader":
            check("header arrives", header)
        if mesh:
            check("server is gone", lambda: expect_exception(lambda: client.warning("Kos"), TApplicationException.INTERNAL_ERROR, "connect_failure"))
            check("works after that", lambda: expect(client.forecast("Kos").island, "Kos"))
            if transport == "theader":
                check("mutation arrives", lambda: expect(client.forecast("Kos").headersSeen.get("sea"), "aegean"))
        else:
            check("server's exception", lambda: expect_exception(lambda: client.warning("Kos"), TApplicationException.INTERNAL_ERROR, "Internal error"))
        protocol.trans.close()

sys.exit(1 if failed else 0)
