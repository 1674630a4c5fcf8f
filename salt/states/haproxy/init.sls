{#- An HAProxy edge, from nothing to serving:  salt 'edge*' state.apply haproxy

    The modules come with the states and are synced here, while rendering, so that this one command is enough on a
    minion that has nothing but Salt, with test=True too. One question tells whether it has them already, about the file
    that is copied last; no module of ours may be called before that, or this run would go on with the old one. -#}
{%- set version = '_utils/haproxy_edge_minion/version_of_modules.py' %}
{%- set synced = opts.extension_modules ~ '/' ~ version[1:] %}
{%- if not salt['file.file_exists'](synced)
       or salt['file.get_hash'](synced) != salt['cp.hash_file']('salt://' ~ version).hsum %}
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
