{#- An HAProxy edge, from nothing to serving:  salt 'edge*' state.apply haproxy

    The modules come with the states and are synced here, while rendering, so that this one command is enough on a
    minion that has nothing but Salt, with test=True too. Only new modules make the minion load all of its modules again. -#}
{%- set new = salt['saltutil.sync_utils'](refresh=False) + salt['saltutil.sync_modules'](refresh=False)
            + salt['saltutil.sync_states'](refresh=False) %}
{%- if new %}
{%-   do salt['saltutil.refresh_modules']() %}
{%- endif %}

include:
  - haproxy.install
  - haproxy.config
  - haproxy.service
