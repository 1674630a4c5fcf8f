include:
  - haproxy.install
  - haproxy.config

haproxy service:
  haproxy_edge.serving:
    - name: haproxy
    - require:
      - pkg: haproxy package
