"""A whole installation on one machine: edge hosts, salt-master, Kubernetes API, pods and clients.

The demo, the end-to-end tests and the benchmarks stand on it. Everything lives in network namespaces named ``hel-*``
without an uplink, in ``/run/haproxy-edge-lab-hel``, and is gone after ``down``, also after a failure.
"""
