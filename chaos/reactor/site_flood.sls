{#- A site's own reactor for a site's own events: it does nothing, and takes about as long for it as ours. -#}
{%- set nothing = salt['haproxy_edge_outbox.take']('no lane') %}
