"""One WebSocket of a device, as sections 2 to 4 of the protocol have it."""

import asyncio
import json
import secrets
import time
import uuid
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed

from journal import Device

if TYPE_CHECKING:
    from server import Server

LANES = ("results", "events", "telemetry", "history")
LANE_OF = {"ack": "results", "event": "events", "configReport": "events", "gap": "events", "history": "history"}
FRAME_BYTES = 64 * 1024
DEEPEST = 32
RECEIPT_EVERY_SECONDS = 0.1
NEWER = {"fromANewerServer": {"that": ["the", "device", "cannot", "know"]}}
"""A receiver ignores fields that it does not know (section 2), so every object that this server sends has one."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def uuid7() -> str:
    """RFC 9562, section 5.7: Python has none before 3.14."""
    bits = now_ms() << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=bits))


def envelope(kind: str, payload: dict) -> dict:
    return {"type": kind, "id": uuid7(), "sentAt": now_ms(), "payload": {**payload, **NEWER}, **NEWER}


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


class Link:
    def __init__(self, server: "Server", device: Device, socket):
        self.server, self.device, self.socket = server, device, socket
        self.journal = server.journal
        self.welcomed = False
        self.over = False
        self.order_window = 16
        self.orders_sent = 0
        self.orders_receipted = 0
        self.due: set[str] = set()
        self.receipts: asyncio.Task | None = None

    async def run(self) -> None:
        try:
            async for frame in self.socket:
                if self.over:
                    return  # after a side has sent a close it stores nothing more
                await self.take(frame)
        except ConnectionClosed:
            pass
        finally:
            self.over = True
            if self.receipts:
                self.receipts.cancel()

    async def close(self, code: int) -> None:
        self.over = True
        await self.socket.close(code)

    async def send(self, frame: dict) -> None:
        if not self.over:
            await self.socket.send(json.dumps(frame))

    # ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            return await self.close(1003)
        try:
            frame = json.loads(text)
            if depth(frame) > DEEPEST:
                raise ValueError("too deep")
        except (ValueError, RecursionError):
            return await self.close(1007)
        kind = frame.get("type") if isinstance(frame, dict) else None
        if kind == "hello" and self.welcomed:
            return await self.close(4408)
        if kind == "hello" and hello_fault(frame) is None:
            return await self.hello(frame["payload"])
        if not self.welcomed:
            return  # anything earlier is ignored and not stored
        if kind == "batch" and batch_fault(frame) is None:
            return await self.durable([{**each, "lane": frame["lane"]} for each in frame["messages"]])
        fault = batch_fault(frame) if kind == "batch" else envelope_fault(frame)
        if fault:
            return await self.reject(frame, "invalid", fault)
        if "seq" in frame:
            await self.durable([frame])
        elif kind == "heartbeat":
            received = dict(self.device.received)
            answer = {"re": frame["id"], "serverTime": now_ms(), "received": received, "processed": received}
            await self.send(envelope("heartbeat", answer))
        elif kind == "receipt":
            self.orders_receipted = max(self.orders_receipted, frame["payload"]["lanes"].get("orders", 0))
            await self.send_orders()
        elif kind == "reject":
            self.journal.append({"kind": "rejectedByDevice", "deviceId": self.device.id, **frame["payload"]})
        elif kind != "ack":  # an ack without a seq is an order's progress
            await self.reject(frame, "unsupported", f"unknown type {kind}")

    async def durable(self, messages: list[dict]) -> None:
        """Stores what is new, all of one frame at once; answers what can never be stored."""
        records, refused, taken = [], [], {}
        for message in messages:
            lane, seq, id_ = message.get("lane"), message.get("seq"), message.get("id")
            if lane not in LANES or not is_integer(seq) or not isinstance(id_, str):
                refused.append((message, "invalid", "lane, seq or id"))
                continue
            fault = envelope_fault(message) or durable_fault(message)
            known = taken.get((lane, seq)) or self.device.id_of.get((lane, seq))
            self.due.add(lane)
            record = {"kind": "message", "deviceId": self.device.id, "epoch": self.device.epoch, **message}
            if known is not None and known != id_:
                self.journal.append({**record, "kind": "conflict", "known": known})
                refused.append((message, "conflict", f"seq {seq} is {known}"))
            elif known is not None:
                records.append({**record, "kind": "duplicate"})
            else:
                taken[lane, seq] = id_
                fate = "rejected" if fault else "repeated" if id_ in self.device.ids else "stored"
                records.append({**record, "payload": message.get("payload"), "fate": fate, "of": len(messages)})
                if fault:
                    refused.append((message, "invalid", fault))
        self.journal.append(*records)
        for message, code, detail in refused:
            await self.reject(message, code, detail)
        if self.receipts is None:
            self.receipts = asyncio.create_task(self.send_receipts())

    async def reject(self, message: object, code: str, detail: str) -> None:
        id_ = message.get("id") if isinstance(message, dict) else None
        payload = {"id": id_ if isinstance(id_, str) else None, "code": code, "detail": detail}
        await self.send(envelope("reject", payload))

    # ── Opening and sending ──────────────────────────────────────────────────────────────────────────────────────────

    async def hello(self, hello: dict) -> None:
        device, journal = self.device, self.journal
        earlier = self.server.links.get(device.id)
        if earlier is not None and earlier is not self:
            earlier.over = True
            asyncio.create_task(earlier.close(4409))
        self.server.links[device.id] = self
        journal.append({"kind": "hello", "deviceId": device.id, "payload": hello})
        if hello["epoch"] != device.epoch:
            journal.append(
                {
                    "kind": "epoch",
                    "deviceId": device.id,
                    "epoch": hello["epoch"],
                    "capabilities": hello["capabilities"],
                }
            )
        same_epoch = hello.get("serverEpoch") == journal.server_epoch
        if same_epoch and hello["received"] >= device.next_seq:
            journal.append({"kind": "serverEpoch", "serverEpoch": str(uuid.uuid4())})
            same_epoch = False
        self.orders_sent = self.orders_receipted = hello["received"] if same_epoch else 0
        self.order_window = hello["limits"]["inflightMessages"]
        welcome = {
            "sessionId": uuid7(),
            "resumed": bool(device.received),
            "serverTime": now_ms(),
            "serverEpoch": journal.server_epoch,
            "received": dict(device.received),
            "heartbeatSeconds": 5,
            "capabilities": [],
            "limits": {
                "frameBytes": FRAME_BYTES,
                "inflightMessages": 64,
                "inflightBytes": 1 << 20,
                "replayPerSecond": 500,
                **NEWER,
            },
            "reconnect": {"minMs": 0, "maxMs": 500, **NEWER},
        }
        await self.send(envelope("welcome", welcome))
        self.welcomed = True
        await self.send_orders()

    async def send_orders(self) -> None:
        for order in sorted(self.device.orders.values(), key=lambda each: each.seq):
            if order.seq <= self.orders_sent:
                continue
            if order.seq - self.orders_receipted > self.order_window:
                return
            self.orders_sent = order.seq
            frame = {"type": order.type, "id": order.id, "lane": "orders", "seq": order.seq}
            await self.send({**frame, "sentAt": order.sent_at, "payload": {**order.payload, **NEWER}, **NEWER})

    async def send_receipts(self) -> None:
        """At most every 100 ms; every second one gets lost on purpose."""
        while not self.over:
            await asyncio.sleep(RECEIPT_EVERY_SECONDS)
            if not self.due:
                continue
            lanes = {lane: self.device.received[lane] for lane in self.due if lane in self.device.received}
            self.due = set()
            self.server.receipts_due += 1
            if self.server.receipts_due % 2 == 1:
                try:
                    await self.send(envelope("receipt", {"lanes": lanes}))
                except ConnectionClosed:
                    return


def envelope_fault(message: object) -> str | None:
    """What is wrong with section 2's part of a message, if anything."""
    if not isinstance(message, dict):
        return "a message is an object"
    good = isinstance(message.get("type"), str) and isinstance(message.get("id"), str)
    good = good and is_integer(message.get("sentAt")) and isinstance(message.get("payload"), dict)
    return None if good else "type, id, sentAt or payload"


def batch_fault(frame: dict) -> str | None:
    messages = frame.get("messages")
    good = isinstance(messages, list) and messages and all(isinstance(each, dict) for each in messages)
    return None if good and frame.get("lane") in LANES else "lane or messages"


def hello_fault(frame: dict) -> str | None:
    hello = frame.get("payload")
    if envelope_fault(frame) or not isinstance(hello, dict):
        return "envelope"
    limits = hello.get("limits")
    good = isinstance(hello.get("epoch"), str) and is_integer(hello.get("received"))
    good = good and isinstance(hello.get("capabilities"), list) and isinstance(limits, dict)
    return None if good and is_integer(limits.get("inflightMessages")) else "payload"


def durable_fault(message: dict) -> str | None:
    """As much of section 5 as this server needs to know."""
    kind, payload, lane = message["type"], message["payload"], message["lane"]
    if kind == "telemetry":
        good = isinstance(payload.get("samples"), list) and lane in ("telemetry", "history")
        return None if good else "samples or lane"
    if kind not in LANE_OF:
        return f"unknown type {kind}"
    if kind == "ack" and not all(isinstance(payload.get(name), str) for name in ("orderId", "status")):
        return "orderId or status"
    if kind == "gap" and "from" in payload and not (is_integer(payload["from"]) and is_integer(payload.get("to"))):
        return "from or to"
    return None if lane == LANE_OF[kind] else "lane"
