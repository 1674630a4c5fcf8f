{#- An HAProxy edge, from nothing to serving:  salt 'edge*' state.apply haproxy

    The modules come with the states and are synced here, while rendering, so that this one command is enough on a
    minion that has nothing but Salt, with test=True too. -#}
{%- do salt['saltutil.sync_utils']() %}
{%- do salt['saltutil.sync_modules']() %}
{%- do salt['saltutil.sync_states']() %}

include:
  - haproxy.install
  - haproxy.config
  - haproxy.service
