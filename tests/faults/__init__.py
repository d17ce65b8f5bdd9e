"""Faults on real processes: a cluster to break, and what breaks it.

`cluster` starts masters and slaves and ends them; `proxy` stands between them and spoils bytes; `machine` takes away
networks, disks, descriptors and memory; `programs` has the program that everything is tried on; `campaign` mixes all
of it at random from a seed.
"""
