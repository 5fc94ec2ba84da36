"""What a viewer sees: the only place where visibility, blocks and mutes are decided, and where statuses and accounts become JSON.

Fragments of JSON are made once, when something changes, and stored as bytes; a page joins them and parses nothing.
"""
