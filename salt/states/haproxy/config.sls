{#- A problem of one frontend fails this state and lets the others go on, so service.sls does not require it. -#}
include:
  - haproxy.install

haproxy configuration:
  haproxy_edge.configured:
    - name: /etc/haproxy/haproxy.cfg
    - require:
      - pkg: haproxy package
