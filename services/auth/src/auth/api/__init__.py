"""Endpoints of `auth`: OAuth for everybody, the rest for the gateway and for `notify`."""
