{#- The state lane. The event only rings: what to do comes from the outbox, where only the master writes,
    so a forged event publishes nothing. Each order is taken once. -#}
{%- for order in salt['haproxy_edge_outbox.take']('state') %}
haproxy_edge_{{ order.id }}:
  local.state.apply:
    - tgt: {{ order.tgt | json }}
    - tgt_type: {{ order.tgt_type }}
    - args:
      - mods: haproxy
      - queue: True
{%- endfor %}
