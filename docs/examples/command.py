#!/usr/bin/env python3
"""Registers a command on the device and carries it out: python3 command.py [SOCKET] (docs/commands.md)."""
import json, socket, sys, time

PATH = sys.argv[1] if len(sys.argv) > 1 else "/run/bowline/commands/commands.sock"
PARAMS = {"type": "object", "required": ["litres"], "properties": {"litres": {"type": "integer", "minimum": 1}}}
COMMAND = {"name": "fillTank", "description": "Fills the tank.", "idempotent": False, "params": PARAMS, "concurrency": "per-name"}

while True:  # the executor may be restarted at any time
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(PATH)
            say = lambda **message: link.sendall(json.dumps(message).encode() + b"\n")
            say(type="register", command=COMMAND)
            for line in link.makefile():
                message = json.loads(line)
                if message["type"] == "run":
                    say(type="progress", orderId=message["orderId"], percent=50, note="half full")
                    say(type="result", orderId=message["orderId"], result={"litres": message["params"]["litres"]})
                elif message["type"] in ("refused", "error"):
                    print(message, file=sys.stderr)
    except OSError:
        pass
    time.sleep(1)
