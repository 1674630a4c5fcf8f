haproxy package:
  pkg.installed:
    - name: haproxy
