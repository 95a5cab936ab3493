"""Requests that may be sent twice and take effect once: `KeyedRoute` for a router, see `route`."""
