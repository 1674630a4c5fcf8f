# The usual edge: TCP on :443 over IPv6, with PROXY protocol v2 to port "websecure" of kube-system/traefik.
haproxy:
  bind: "ipv6@:443"
