#!/usr/bin/env python3
"""
A server for Bowline devices that shares nothing with Bowline: written from docs/protocol.md alone, on Debian's
python3-websockets. It is a bad server on purpose in one way: of the receipts that are due it sends only every other one.
"""

import argparse
import asyncio
import http
import json
import os
import re
import secrets
import signal
import time
from pathlib import Path

from websockets.legacy.server import serve

from journal import Device, Journal, Order
from link import FRAME_BYTES, NEWER, Link, now_ms, uuid7
from signatures import BadSignature, SigningKey, thumbprint, verify

SERVER_ID = "foreign-server"
ENROLMENT_BYTES = 16 * 1024


class Problem(Exception):
    """An error over HTTP: a problem document (RFC 9457)."""

    def __init__(self, status: int, code: str):
        super().__init__(code)
        self.status = status
        self.body = json.dumps({"title": code, "status": status, "code": code, "serverTime": now_ms(), **NEWER}).encode()


class Server:
    def __init__(self, folder: Path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret_file = folder / "server.json"
        if not secret_file.exists():
            made = {"root": secrets.token_hex(32), "secret": secrets.token_urlsafe(24)}
            with open(os.open(secret_file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
                json.dump(made, file)
        known = json.loads(secret_file.read_text())
        self.root = SigningKey(bytes.fromhex(known["root"]))
        self.token = f"{known['secret']}.{self.root.thumbprint}"
        self.journal = Journal(folder)
        self.links: dict[str, Link] = {}
        self.receipts_due = 0
        self.origin = self.link_origin = ""

    # ── Section 1: the upgrade ───────────────────────────────────────────────────────────────────────────────────────

    async def before_upgrade(self, path: str, headers):
        try:
            self.prove(path, headers.get("Authorization", ""))
            return None
        except Problem as problem:
            status = http.HTTPStatus(problem.status)
            return status, [("Content-Type", "application/problem+json")], problem.body

    def prove(self, path: str, authorization: str) -> None:
        device = self.device_of(path)
        if device is None:
            raise Problem(403, "unknown-device")
        try:
            header, claims = verify(re.sub("^bearer +", "", authorization, flags=re.I), device.jwk)
            now = time.time()
            good = (
                set(header) <= {"alg", "typ"}
                and header.get("typ", "JWT") == "JWT"
                and claims["iss"] == claims["sub"] == device.id
                and claims["aud"] == SERVER_ID
                and claims["iat"] - 30 <= now <= claims["exp"] + 30
                and claims["exp"] - claims["iat"] <= 60
                and isinstance(claims["jti"], str)
                and claims["jti"] not in self.journal.spent_tokens
            )
        except (BadSignature, KeyError, TypeError):
            good = False
        if not good:
            raise Problem(401, "bad-token")
        self.journal.append({"kind": "spentToken", "jti": claims["jti"], "exp": claims["exp"]})

    def device_of(self, path: str) -> Device | None:
        match = re.fullmatch(r"/v1/devices/([A-Za-z0-9._-]{1,64})/link", path)
        return self.journal.devices.get(match[1]) if match else None

    async def serve_link(self, socket) -> None:
        device = self.device_of(socket.path)
        if socket.subprotocol is None:
            return await socket.close(4406)
        await Link(self, device, socket).run()

    # ── Section 7: enrolment ─────────────────────────────────────────────────────────────────────────────────────────

    def enrol(self, body: dict) -> dict:
        jwk, proof, info, token = (body.get(name) for name in ("publicKey", "proof", "device", "token"))
        if not (isinstance(jwk, dict) and isinstance(proof, str) and isinstance(info, dict)):
            raise Problem(400, "malformed")
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(jwk.get("x"), str):
            raise Problem(400, "malformed")
        try:
            header, claims = verify(proof, jwk)
            good = (
                header.get("kid") == thumbprint(jwk)
                and claims.get("token") == token
                and claims["device"] == info
                and claims["aud"] == self.origin
                and abs(claims["iat"] - time.time()) <= 300
            )
        except (BadSignature, KeyError, TypeError):
            good = False
        if not good:
            raise Problem(401, "bad-proof")
        if token is None:
            raise Problem(403, "no-token")
        if token != self.token:
            raise Problem(410, "unknown-token")
        owner = next(iter(self.journal.devices.values()), None)
        if owner is None:
            known = {name: jwk[name] for name in ("kty", "crv", "x")}
            self.journal.append({"kind": "device", "deviceId": "device-1", "jwk": known})
            owner = self.journal.devices["device-1"]
        elif owner.jwk["x"] != jwk["x"]:
            raise Problem(409, "token-used")
        keys = {"root": [{**self.root.jwk, **NEWER}], "update": [], "access": [], "command": [], **NEWER}
        return {
            "deviceId": owner.id,
            "name": owner.id,
            "groups": [],
            "serverId": SERVER_ID,
            "link": f"{self.link_origin}/v1/devices/{owner.id}/link",
            "trust": self.root.sign_general({"version": 1, "keys": keys, "threshold": 1, **NEWER}),
            "serverTime": now_ms(),
            **NEWER,
        }

    # ── For the person who tries it: orders, and what became of them ─────────────────────────────────────────────────

    async def give_order(self, body: dict) -> dict:
        device = next(iter(self.journal.devices.values()), None)
        if device is None:
            raise Problem(409, "no-device")
        if not (isinstance(body.get("type"), str) and isinstance(body.get("payload"), dict)):
            raise Problem(400, "malformed")
        order = Order(uuid7(), body["type"], body["payload"], now_ms(), device.next_seq)
        self.journal.append(
            {
                "kind": "order",
                "deviceId": device.id,
                "orderId": order.id,
                "type": order.type,
                "payload": order.payload,
                "sentAt": order.sent_at,
                "seq": order.seq,
            }
        )
        link = self.links.get(device.id)
        if link is not None and link.welcomed and not link.over:
            await link.send_orders()
        return {"orderId": order.id}

    def state(self) -> dict:
        devices = {
            device.id: {
                "online": device.id in self.links and not self.links[device.id].over,
                "received": device.received,
                "holes": sum(map(len, device.holes.values())),
                "orders": {order.id: order.status for order in device.orders.values()},
            }
            for device in self.journal.devices.values()
        }
        return {"devices": devices, "receiptsDue": self.receipts_due}

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict]:
        try:
            value = json.loads(body) if body else {}
        except ValueError:
            raise Problem(400, "malformed") from None
        if not isinstance(value, dict):
            raise Problem(400, "malformed")
        if (method, path) == ("POST", "/v1/enrolments"):
            return 201, self.enrol(value)
        if (method, path) == ("POST", "/orders"):
            return 201, await self.give_order(value)
        if (method, path) == ("GET", "/state"):
            return 200, self.state()
        raise Problem(404, "not-found")

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            length = int((re.search(r"(?im)^content-length: *(\d+)", head) or [0, 0])[1])
            try:
                if length > ENROLMENT_BYTES:
                    raise Problem(400, "malformed")
                status, value = await self.answer(method, path, await reader.readexactly(length))
                kind, body = "application/json", json.dumps(value).encode()
            except Problem as problem:
                status, kind, body = problem.status, "application/problem+json", problem.body
            reason = http.HTTPStatus(status).phrase
            writer.write(
                f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, ConnectionError):
            pass  # no HTTP, or gone
        finally:
            writer.close()


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--state", type=Path, required=True, help="folder for keys and journal.jsonl")
    options.add_argument("--http-port", type=int, default=0, help="enrolment and control (default: any)")
    options.add_argument("--link-port", type=int, default=0, help="the WebSocket (default: any)")
    given = options.parse_args()
    server = Server(given.state)
    web = await asyncio.start_server(server.serve_http, "127.0.0.1", given.http_port)
    link = await serve(
        server.serve_link,
        "127.0.0.1",
        given.link_port,
        process_request=server.before_upgrade,
        subprotocols=["bowline.v1"],
        compression=None,
        max_size=FRAME_BYTES,
        ping_interval=30,
        ping_timeout=30,
    )
    http_port, link_port = (each.sockets[0].getsockname()[1] for each in (web, link))
    server.origin = f"http://127.0.0.1:{http_port}"
    server.link_origin = f"ws://127.0.0.1:{link_port}"
    print(json.dumps({"server": server.origin, "linkPort": link_port, "token": server.token}), flush=True)
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    await ended.wait()
    for each in server.links.values():
        await each.close(1001)


if __name__ == "__main__":
    asyncio.run(main())
