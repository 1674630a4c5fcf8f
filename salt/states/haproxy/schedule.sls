{#- The edge looks at itself every reconcile_interval seconds (pillar), with the master away, too. -#}
include:
  - haproxy.config

haproxy reconciliation:
  haproxy_edge.scheduled:
    - name: haproxy_edge.reconcile
    - order: last
