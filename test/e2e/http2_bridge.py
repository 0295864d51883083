"""A bridge that has WebSockets go by HTTP/2 (RFC 8441): clients that know HTTP/1.1 alone connect to it, and all of them share one
connection to the daemon, by python3-h2."""

import asyncio
import base64
import hashlib
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Upstream:
    """The connection to the daemon."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.protocol.initiate_connection()
        self.events = {}  # a queue for each stream
        self.room = asyncio.Condition()
        self.ended = False
        self.announced = asyncio.Event()
        self.flush()

    def flush(self):
        self.writer.write(self.protocol.data_to_send())

    async def run(self):
        try:
            while data := await self.reader.read(65536):
                for event in self.protocol.receive_data(data):
                    if isinstance(event, h2.events.RemoteSettingsChanged):
                        if h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL in event.changed_settings:
                            self.announced.set()
                    elif isinstance(event, h2.events.ConnectionTerminated):
                        self.ended = True
                    elif getattr(event, "stream_id", 0) in self.events:
                        self.events[event.stream_id].put_nowait(event)
                self.flush()
                async with self.room:
                    self.room.notify_all()
        except ConnectionError:
            pass
        self.ended = True
        for queue in self.events.values():
            queue.put_nowait(None)
        self.writer.close()

    def connect(self, path, authority, fields):
        stream = self.protocol.get_next_available_stream_id()
        self.events[stream] = asyncio.Queue()
        self.protocol.send_headers(stream, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                                            (":path", path), (":authority", authority), *fields])
        self.flush()
        return stream

    async def send(self, stream, data):
        while data:
            async with self.room:
                await self.room.wait_for(lambda: self.ended or self.protocol.local_flow_control_window(stream) > 0)
            if self.ended and stream not in self.protocol.streams:
                return
            size = min(len(data), self.protocol.local_flow_control_window(stream), self.protocol.max_outbound_frame_size)
            self.protocol.send_data(stream, data[:size])
            self.flush()
            data = data[size:]


class Bridge:
    """`address` of the daemon, "http://host:port"; its own is the same, of HTTP/1.1. It has a thread of its own."""

    def __init__(self, address):
        self.host, port = address.removeprefix("http://").split(":")
        self.port = int(port)
        self.upstream = None
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self.call(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.address = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        async def end():
            self.server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            if self.upstream:
                self.upstream.writer.close()
        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def connected(self):
        if self.upstream is None or self.upstream.ended:
            self.upstream = Upstream(*await asyncio.open_connection(self.host, self.port))
            task = asyncio.create_task(self.upstream.run())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            await self.upstream.announced.wait()
        return self.upstream

    async def serve(self, reader, writer):
        try:
            await self.carry(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def carry(self, reader, writer):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = lines[0].split(" ")[1]
        fields = dict((name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines[1:] if line))
        upstream = await self.connected()
        stream = upstream.connect(path, fields["host"], [
            (name, value) for name, value in fields.items()
            if name == "origin" or name == "user-agent" or (name.startswith("sec-websocket-") and name != "sec-websocket-key")])
        events = upstream.events[stream]
        while not isinstance(answer := await events.get(), h2.events.ResponseReceived):
            if answer is None or isinstance(answer, h2.events.StreamReset):
                return
        said = dict(answer.headers)
        if said[":status"] != "200":
            writer.write(f"HTTP/1.1 {said[':status']} Refused\r\nConnection: close\r\n\r\n".encode())
            upstream.protocol.reset_stream(stream)
            return upstream.flush()
        accept = base64.b64encode(hashlib.sha1(fields["sec-websocket-key"].encode() + GUID).digest()).decode()
        chosen = "".join(f"{name}: {value}\r\n" for name, value in said.items() if name.startswith("sec-websocket-"))
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     f"Sec-WebSocket-Accept: {accept}\r\n{chosen}\r\n".encode())
        there = asyncio.create_task(self.carry_there(reader, upstream, stream))
        self.tasks.add(there)
        await self.carry_back(writer, upstream, stream, events)
        there.cancel()
        self.tasks.discard(there)

    async def carry_there(self, reader, upstream, stream):
        try:
            while data := await reader.read(65536):
                await upstream.send(stream, data)
            upstream.protocol.end_stream(stream)
        except ConnectionError:
            upstream.protocol.reset_stream(stream, 8)
            upstream.events[stream].put_nowait(None)
        except h2.exceptions.ProtocolError:
            return  # it has ended
        upstream.flush()

    async def carry_back(self, writer, upstream, stream, events):
        while (event := await events.get()) is not None:
            if isinstance(event, h2.events.DataReceived):
                writer.write(event.data)
                await writer.drain()
                if event.flow_controlled_length and not upstream.ended:
                    upstream.protocol.acknowledge_received_data(event.flow_controlled_length, stream)
                    upstream.flush()
            elif isinstance(event, h2.events.StreamEnded):
                return
            elif isinstance(event, h2.events.StreamReset):
                return writer.transport.abort()
