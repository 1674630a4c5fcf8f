{#- Takes back what `state.apply haproxy` did to the configuration; the package stays.  -#}
{%- set new = salt['saltutil.sync_utils'](refresh=False) + salt['saltutil.sync_modules'](refresh=False)
            + salt['saltutil.sync_states'](refresh=False) %}
{%- if new %}
{%-   do salt['saltutil.refresh_modules']() %}
{%- endif %}

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
