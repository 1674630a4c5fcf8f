# A legacy host without IPv6. bind_insecure passes plain HTTP on: discouraged, and the state says so on every run.
haproxy:
  bind: "ipv4@:443"
  bind_insecure: "ipv4@:80"
