"""
All that this server knows, as one file of JSON lines that only grows. A line is on disk before anybody is told of it, and a
start reads them all again: so a kill at any moment loses nothing that was receipted.
"""

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

TERMINAL = {"succeeded", "failed", "cancelled", "indeterminate", "rejected", "expired"}


@dataclass
class Order:
    id: str
    type: str
    payload: dict
    sent_at: int
    seq: int
    status: str = "queued"


@dataclass
class Device:
    id: str
    jwk: dict
    epoch: str | None = None
    # By lane, in this epoch of the device.
    received: dict[str, int] = field(default_factory=dict)
    holes: dict[str, set[int]] = field(default_factory=dict)
    id_of: dict[tuple[str, int], str] = field(default_factory=dict)
    # Over all its epochs.
    ids: set[str] = field(default_factory=set)
    orders: dict[str, Order] = field(default_factory=dict)
    next_seq: int = 1
    """Of the next order."""


class Journal:
    def __init__(self, folder: Path):
        self.devices: dict[str, Device] = {}
        self.spent_tokens: dict[str, int] = {}
        self.server_epoch = ""
        path = folder / "journal.jsonl"
        if path.exists():
            data = path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]  # a line that was cut short by a kill was never promised
            if len(whole) < len(data):
                os.truncate(path, len(whole))
            for line in whole.splitlines():
                self._apply(json.loads(line))
        self._file = open(path, "ab")
        if not self.server_epoch:
            self.append({"kind": "serverEpoch", "serverEpoch": str(uuid.uuid4())})

    def append(self, *records: dict) -> None:
        """Returns when the records are on disk."""
        for record in records:
            self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fdatasync(self._file.fileno())
        for record in records:
            self._apply(record)

    def _apply(self, record: dict) -> None:
        kind = record["kind"]
        device = self.devices.get(record.get("deviceId", ""))
        if kind == "serverEpoch":
            self.server_epoch = record["serverEpoch"]
            for each in self.devices.values():
                self._renumber(each)
        elif kind == "device":
            self.devices[record["deviceId"]] = Device(record["deviceId"], record["jwk"])
        elif kind == "spentToken":
            self.spent_tokens[record["jti"]] = record["exp"]
        elif kind == "epoch":
            self._new_device_epoch(device, record)
        elif kind == "message":
            self._take(device, record)
        elif kind == "order":
            order = Order(*(record[name] for name in ("orderId", "type", "payload", "sentAt", "seq")))
            device.orders[order.id] = order
            device.next_seq = order.seq + 1

    def _new_device_epoch(self, device: Device, record: dict) -> None:
        """Section 3: everything counts from 1 again; what had started may have had its effect already."""
        device.epoch = record["epoch"]
        device.received, device.holes, device.id_of = {}, {}, {}
        for order in device.orders.values():
            repeatable = f"idempotent:{order.payload.get('name')}" in record["capabilities"]
            if order.status == "started" and not repeatable:
                order.status = "indeterminate"
        self._renumber(device)

    def _renumber(self, device: Device) -> None:
        device.next_seq = 1
        for order in device.orders.values():
            order.seq = 0
            if order.status not in TERMINAL:
                order.seq, device.next_seq = device.next_seq, device.next_seq + 1

    def _take(self, device: Device, record: dict) -> None:
        lane, seq, payload = record["lane"], record["seq"], record["payload"]
        received = device.received.get(lane, 0)
        device.holes.setdefault(lane, set()).update(range(received + 1, seq))
        device.holes[lane].discard(seq)
        device.received[lane] = max(received, seq)
        device.id_of[lane, seq] = record["id"]
        device.ids.add(record["id"])
        if record["fate"] != "stored":
            return
        if record["type"] == "gap" and "from" in payload:
            device.holes.setdefault(payload["lane"], set()).difference_update(
                range(payload["from"], payload["to"] + 1)
            )
        order = device.orders.get(payload.get("orderId")) if record["type"] == "ack" else None
        if order is not None and order.status not in TERMINAL:
            order.status = payload["status"]
