haproxy:
  bind: ["ipv4@:443", "ipv6@:443 v6only"]
