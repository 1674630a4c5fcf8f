base:
  'edge*':
    - edges
