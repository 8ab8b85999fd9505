# __init__.py - what the end-to-end tests share: processes, peers, the known tree.
