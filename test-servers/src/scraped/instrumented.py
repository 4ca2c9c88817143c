"""Tells metrics of every kind, none of which changes; usage: ADDRESS PORT."""

import sys
import threading

from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary, start_http_server

orders = Counter("orders", "Orders that were taken.", ["shop"])
orders.labels("north").inc(5)
orders.labels("north").inc(2, {"trace_id": "a1"})
orders.labels("so,uth").inc(1.5)
Counter("sent_bytes", "What was sent.").inc(2**53)
Gauge("tank_litres", "What is in the tank.").set(-12.5)
Gauge("free_kibibytes", "In a unit that is none of the base units.").set(1536)
Gauge("nothing", "No number.").set(float("nan"))
delivery = Histogram("delivery_seconds", "How long a delivery took.", buckets=(1, 5, 30))
for seconds in (0.5, 4, 4, 60):
    delivery.observe(seconds, {"trace_id": f"b{seconds}"})
packing = Summary("packing_minutes", "How long it took to pack.")
packing.observe(2)
packing.observe(4)
Info("shop", "The shop.").info({"version": "1.2", "town": 'Bad "Ems"\\Lahn'})
Enum("door", "The door.", states=["open", "closed"]).state("closed")
start_http_server(int(sys.argv[2]), addr=sys.argv[1])
threading.Event().wait()
