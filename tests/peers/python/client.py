"""What the default client of DBOS for Python does with an application in Rust: `client.py URL [NAME…]`."""

import sys

import managed
import queued
import schedules
import talk
from peer import Peer, checks_of, run

url, *names = sys.argv[1:]
checks = checks_of(queued, talk, managed, schedules)
run([check for check in checks if not names or check.__name__ in names], Peer(url))
