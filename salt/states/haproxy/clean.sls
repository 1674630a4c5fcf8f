{#- Takes back what `state.apply haproxy` did to the configuration; the package stays.  -#}
{%- do salt['saltutil.sync_utils']() %}
{%- do salt['saltutil.sync_modules']() %}
{%- do salt['saltutil.sync_states']() %}

haproxy configuration restored:
  haproxy_edge.cleaned:
    - name: /etc/haproxy/haproxy.cfg

haproxy on the restored configuration:
  service.running:
    - name: haproxy
    - reload: True
    - onlyif: test -e /etc/haproxy/haproxy.cfg
    - watch:
      - haproxy_edge: haproxy configuration restored
