# What each edge binds. The minion id decides, never a grain: grains are chosen by the minion.
base:
  edge1:
    - edge1
  edge2:
    - edge2
  edge3:
    - edge3
