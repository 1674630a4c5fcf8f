{#- An HAProxy edge, from nothing to serving:  salt 'edge*' state.apply haproxy

    The modules come with the states and are synced here, while rendering, so that this one command is enough on a
    minion that has nothing but Salt, with test=True too. One question tells whether it has them already; no module of
    ours may be called before that, or this run would go on with the old one. -#}
{%- set release = '_utils/haproxy_edge_minion/release.py' %}
{%- set synced = opts.extension_modules ~ '/' ~ release[1:] %}
{%- if not salt['file.file_exists'](synced)
       or salt['file.get_hash'](synced) != salt['cp.hash_file']('salt://' ~ release).hsum %}
{%-   do salt['saltutil.sync_modules'](refresh=False) %}
{%-   do salt['saltutil.sync_states'](refresh=False) %}
{%-   do salt['saltutil.sync_utils'](refresh=False) %}
{%-   do salt['saltutil.refresh_modules']() %}
{%- endif %}

include:
  - haproxy.install
  - haproxy.config
  - haproxy.service
  - haproxy.schedule
