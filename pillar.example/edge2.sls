# The same as edge1, in the long form, with what can be set. docs/pillar.md lists all of it.
haproxy:
  frontends:
    websecure:
      bind:
        - "ipv6@:443"
      service: kube-system/traefik
      port: websecure
      proxy_protocol: v2
      balance: leastconn
  global:
    maxconn: 4000
  defaults:
    timeouts:
      connect: 2s
      client: 1h
      server: 1h
  check:
    inter: 2s
  drain_timeout: 300
