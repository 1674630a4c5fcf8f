{#- The hot lane: snapshots to the fleet in one publish, applied by runtime commands. As in the state lane, nothing is
    taken from the event; the payload is one string, because nested data here would be read as YAML. -#}
{%- for order in salt['haproxy_edge_outbox.take']('hot') %}
haproxy_edge_{{ order.id }}:
  local.haproxy_edge.sync:
    - tgt: {{ order.tgt | json }}
    - tgt_type: {{ order.tgt_type }}
    - args:
      - payload: {{ order.payload | json }}
{%- endfor %}
